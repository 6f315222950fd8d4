using Xunit;

namespace KprobeTrace.Tests.Record.Outputs;

/// <summary>
/// A test whose table was written with the kernel of its line <c>kernel SHA256 FILE</c>. Debian replaces its kernels now and then: with
/// another one there is nothing to compare with, until the table is written anew.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PinnedKernelFactAttribute : FactAttribute
{
    /// <summary>Reads the table.</summary>
    public PinnedKernelFactAttribute(string table)
    {
        string[] kernel = File.ReadLines(Repository.PathOf("tests/Record.Tests/Outputs/" + table)).First(text => text.StartsWith("kernel ", StringComparison.Ordinal)).Split(' ');
        if (StockGuest.Missing is string missing)
        {
            Skip = StockGuest.Required ? null : missing;
            return;
        }

        if (!File.ReadLines(StockGuest.PathOf("VERSIONS")).Contains($"sha256 {kernel[2]} {kernel[1]}"))
        {
            Skip = $"guests/stock/{kernel[2]} is not the kernel that {table} was written with: put its checksum there and run it on the commit before yours with UPDATE_GOLDEN=1";
        }
    }
}
