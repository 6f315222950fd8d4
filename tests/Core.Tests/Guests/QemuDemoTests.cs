using System.Diagnostics;
using Xunit;

namespace KprobeTrace.Tests.Guests;

/// <summary>Runs the demo kernel in another emulator: the text that it is expected to print comes from there.</summary>
public sealed class QemuDemoTests
{
    [QemuFact]
    public void Demo_kernel_prints_its_expected_text_in_QEMU()
    {
        ProcessStartInfo start = new(QemuFactAttribute.Program) { RedirectStandardOutput = true, RedirectStandardError = true };
        string arguments = "-accel tcg -cpu qemu64 -M pc -nodefaults -m 64 -display none -serial stdio -no-reboot -device isa-debug-exit,iobase=0xf4 -kernel";
        foreach (string argument in arguments.Split(' '))
        {
            start.ArgumentList.Add(argument);
        }

        start.ArgumentList.Add(Repository.PathOf("guests/demo/demo.elf"));
        using Process qemu = Process.Start(start)!;
        Task<string> errors = qemu.StandardError.ReadToEndAsync();
        using Timer limit = new(_ => qemu.Kill(), null, TimeSpan.FromSeconds(60), Timeout.InfiniteTimeSpan);
        string console = qemu.StandardOutput.ReadToEnd().ReplaceLineEndings("\n");
        qemu.WaitForExit();

        Assert.Equal("", errors.Result);
        Assert.Equal(File.ReadAllText(Repository.PathOf("guests/demo/demo.console")), console);
        Assert.Equal(1, qemu.ExitCode);
    }
}
