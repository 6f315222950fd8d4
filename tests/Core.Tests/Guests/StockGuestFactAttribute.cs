using Xunit;

namespace KprobeTrace.Tests.Guests;

/// <summary>
/// A test that needs guests/stock. Where that is absent it is skipped with the reason, or runs and fails when
/// KPROBETRACE_REQUIRE_GUESTS is 1.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class StockGuestFactAttribute : FactAttribute
{
    public StockGuestFactAttribute()
    {
        if (!StockGuest.Required)
        {
            Skip = StockGuest.Missing!;
        }
    }
}
