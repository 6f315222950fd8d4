using System.Diagnostics;
using System.Text;
using KprobeTrace.Tests.Report;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>The line of progress on a terminal, which `script` is here.</summary>
public sealed class TerminalProgressTests : IDisposable
{
    // jmp to itself; nop.
    private static readonly byte[] _endless = [0xEB, 0xFE, 0x90];

    private readonly Folder _folder = new();

    public TerminalProgressTests() => File.WriteAllBytes(_folder["code"], _endless);

    public void Dispose() => _folder.Dispose();

    [ProgramFact("script")]
    public async Task Progress_stands_on_the_terminal_until_the_run_ends_and_a_quiet_run_shows_none()
    {
        using Process loud = OnTerminal("-o loud.mpk --timeout 60");
        using Process quiet = OnTerminal("-q --timeout 0.6");
        StringBuilder shown = new();
        char[] some = new char[1000];
        while (!shown.ToString().Contains(" MIPS, ", StringComparison.Ordinal))
        {
            int count = await loud.StandardOutput.ReadAsync(some);
            Assert.True(count > 0, $"the run ended by itself: {shown}");
            shown.Append(some, 0, count);
        }

        // The terminal makes a signal of Ctrl-C.
        await loud.StandardInput.WriteAsync('\u0003');
        await loud.StandardInput.FlushAsync();
        shown.Append(await loud.StandardOutput.ReadToEndAsync());

        // The terminal may echo the key in between; the closing line stands where the progress was taken away.
        Assert.Matches(@"\r\d+\.\d{3} s, [\d,]+ M instructions, \d+ MIPS, 0 events \x1b\[K", shown.ToString());
        Assert.Matches(@"\r\x1b\[Kkprobe-record: loud\.mpk: [^\r\n]*; interrupted after ", shown.ToString());
        string ofQuiet = await quiet.StandardOutput.ReadToEndAsync();
        Assert.DoesNotContain("MIPS", ofQuiet, StringComparison.Ordinal);
        await quiet.WaitForExitAsync();
        Assert.Equal(4, quiet.ExitCode);
    }

    private Process OnTerminal(string options)
    {
        string tool = Path.Combine(AppContext.BaseDirectory, "kprobe-record.dll");
        ProcessStartInfo start = new("env", ["--default-signal=INT", "script", "-qec", $"dotnet {tool} code --load 0x100000 -m 16M --console none -p 'p:never 0x100002' {options}", "/dev/null"])
        {
            WorkingDirectory = _folder.Name,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        return Process.Start(start)!;
    }
}
