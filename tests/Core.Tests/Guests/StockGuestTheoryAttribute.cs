using Xunit;

namespace KprobeTrace.Tests.Guests;

/// <summary>As <see cref="StockGuestFactAttribute"/>, for a test with cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class StockGuestTheoryAttribute : TheoryAttribute
{
    public StockGuestTheoryAttribute()
    {
        if (!StockGuest.Required)
        {
            Skip = StockGuest.Missing!;
        }
    }
}
