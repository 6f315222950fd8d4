using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>What the conformance rows share: a guest, a log of handler calls, short ways to make probes.</summary>
public abstract class KprobeRows : IDisposable
{
    private readonly SyntheticGuest _guest = new();

    internal SyntheticGuest Guest => _guest;

    internal KprobeSubsystem Kprobes => _guest.Kprobes;

    /// <summary>What the handlers of <see cref="Logged"/> probes wrote, in order.</summary>
    internal List<string> Log { get; } = [];

    internal static Kprobe On(string symbol, uint offset = 0) => new() { SymbolName = symbol, Offset = offset };

    /// <summary>A probe that logs <c>NAME.pre</c> and, if asked, <c>NAME.post</c>.</summary>
    internal Kprobe Logged(string name, string symbol, uint offset = 0, bool post = true, int result = 0)
    {
        Kprobe probe = On(symbol, offset);
        probe.PreHandler = (p, ref _) =>
        {
            Log.Add($"{name}.pre");
            return result;
        };
        if (post)
        {
            probe.PostHandler = (p, ref _, _) => Log.Add($"{name}.post");
        }

        return probe;
    }

    internal Kprobe Register(Kprobe probe)
    {
        KprobeResult result = Kprobes.RegisterKprobe(probe);
        Assert.True(result.IsSuccess, result.Reason);
        return probe;
    }

    internal Kretprobe Register(Kretprobe probe)
    {
        KprobeResult result = Kprobes.RegisterKretprobe(probe);
        Assert.True(result.IsSuccess, result.Reason);
        return probe;
    }

    /// <summary>Checks a refusal: its number, and that it says why.</summary>
    internal void Refused(int errno, Kprobe probe)
    {
        KprobeResult result = Kprobes.RegisterKprobe(probe);
        Assert.Equal(errno, result.Errno);
        Assert.NotEmpty(result.Reason);
        Assert.Empty(Guest.Pokes);
    }

    public void Dispose()
    {
        _guest.Dispose();
        GC.SuppressFinalize(this);
    }
}
