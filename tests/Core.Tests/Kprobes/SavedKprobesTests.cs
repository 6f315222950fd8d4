using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Kprobes;
using KprobeTrace.Session;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>Probes of a saved guest: who takes their names goes on with their open calls, and what no probe can be is refused.</summary>
public sealed class SavedKprobesTests
{
    private const string Function = "do_sys_open";

    [Fact]
    public void Open_call_returns_to_the_probe_that_took_the_name_and_to_no_other()
    {
        using MemoryStream state = SavedInsideACall();
        foreach ((string name, bool isUnregistered, int open) in new[] { ("a", false, 1), ("b", false, 0), ("a", true, 0) })
        {
            using GuestSession session = Open();
            state.Position = 0;
            session.Machine.Load(state, session.Knowledge());
            int returns = 0;
            Kretprobe calls = Calls(name, () => returns++);
            Assert.True(session.Kprobes.RegisterKretprobe(calls).IsSuccess);
            if (isUnregistered)
            {
                session.Kprobes.UnregisterKretprobe(calls);
            }

            session.Kprobes.SettleSaved();

            Assert.Equal((name, isUnregistered, open), (name, isUnregistered, session.Kprobes.OpenCalls + (isUnregistered ? calls.Open : 0)));
            session.Run();
            Assert.Equal(isUnregistered, returns == 0);
        }
    }

    [Theory]
    [InlineData("a probe at the end of the address space", 0xFFFF_FFFF_FFFF_FFF0, 0xFFFF_FFFF_FFFF_FFF0)]
    [InlineData("a function that begins behind its probe", 0xFFFF_FFFF_8010_0000, 0xFFFF_FFFF_8010_0001)]
    public void Address_that_no_probe_can_have_is_refused(string what, ulong address, ulong function)
    {
        using GuestSession session = Open();
        Assert.True(session.Kprobes.RegisterKprobe(new Kprobe { SymbolName = Function, SavedAs = "a" }).IsSuccess);
        byte[] saved = Saved(session);
        const int behindName = sizeof(int) + sizeof(int) + 1;
        Assert.Equal("a", Encoding.ASCII.GetString(saved, behindName - 1, 1));
        ((IStateful)session.Kprobes).Load(new StateReader("kprobes", saved));
        BinaryPrimitives.WriteUInt64LittleEndian(saved.AsSpan(behindName), address);
        BinaryPrimitives.WriteUInt64LittleEndian(saved.AsSpan(behindName + sizeof(ulong)), function);

        KprobeTraceException refused = Assert.Throws<KprobeTraceException>(() => ((IStateful)session.Kprobes).Load(new StateReader("kprobes", saved)));

        Assert.Contains("holds values that it never has", $"{what}: {refused.Message}", StringComparison.Ordinal);
    }

    private static MemoryStream SavedInsideACall()
    {
        using GuestSession session = Open();
        Assert.True(session.Kprobes.RegisterKretprobe(Calls("a", static () => { })).IsSuccess);
        session.Kprobes.RegisterKprobe(new Kprobe { SymbolName = Function, PreHandler = (_, ref _) => Stop(session) });
        session.Run();
        Assert.Equal(1, session.Kprobes.OpenCalls);
        MemoryStream state = new();
        session.Save(state);
        return state;
    }

    private static int Stop(GuestSession session)
    {
        session.Stop();
        return 0;
    }

    private static Kretprobe Calls(string name, Action returned)
    {
        Kretprobe probe = new(isInternal: false, name)
        {
            Handler = (_, ref _) =>
            {
                returned();
                return 0;
            },
        };
        probe.Kp.SymbolName = Function;
        return probe;
    }

    private static GuestSession Open() => GuestSession.Open(new GuestOptions { Image = Repository.PathOf("guests/demo/demo.elf") }, static _ => { });

    private static byte[] Saved(GuestSession session)
    {
        StateWriter to = new();
        ((IStateful)session.Kprobes).Save(to);
        return to.Written.ToArray();
    }
}
