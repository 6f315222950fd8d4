using KprobeTrace.Kprobes;
using KprobeTrace.Session;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>A probe of ours at an address where the guest has one of its own for a while.</summary>
internal sealed class GuestKprobeSite
{
    private readonly GuestSession _session;

    public GuestKprobeSite(GuestSession session, ulong address)
    {
        _session = session;
        Probe = new() { Addr = address, PreHandler = (_, ref _) => Hit() };
        KprobeResult result = session.Kprobes.RegisterKprobe(Probe);
        Assert.True(result.IsSuccess, result.Reason);
    }

    public Kprobe Probe { get; }

    /// <summary>Whether the guest's is armed: from its enable_kprobe to its disable_kprobe.</summary>
    public bool IsGuestArmed { get; set; }

    /// <summary>Hits of ours while the guest's was armed, by the first byte that the guest's memory held there.</summary>
    public Dictionary<byte, int> HitsWhileArmed { get; } = [];

    private int Hit()
    {
        if (IsGuestArmed)
        {
            Span<byte> first = stackalloc byte[1];
            Assert.True(_session.TryRead(Probe.Addr, first));
            HitsWhileArmed[first[0]] = HitsWhileArmed.GetValueOrDefault(first[0]) + 1;
        }

        return 0;
    }
}
