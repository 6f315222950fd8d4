using System.Diagnostics;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Samples;

public class SampleTests
{
    [Fact]
    public async Task Handlers_edit_a_return_value_and_skip_a_function()
    {
        string configuration = AppContext.BaseDirectory.Contains("Release", StringComparison.Ordinal) ? "Release" : "Debug";
        string sample = Repository.PathOf($"samples/ProbeHandlers/bin/{configuration}/net10.0/ProbeHandlers.dll");
        ProcessStartInfo start = new("dotnet", [sample, Repository.PathOf("guests/demo/demo.elf")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string console = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.Equal(0, process.ExitCode);
        Assert.Contains("init: opening a missing file gives -13", console, StringComparison.Ordinal);
        Assert.DoesNotContain("segfault at", console, StringComparison.Ordinal);
        Assert.Contains("init: faulter ended with 139", console, StringComparison.Ordinal);
        Assert.Contains("printk skipped", await error, StringComparison.Ordinal);
    }
}
