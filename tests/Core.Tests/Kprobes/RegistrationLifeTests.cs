using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>What a registration begins anew, what it watches, and what is left when it ends.</summary>
public sealed class RegistrationLifeTests : KprobeRows
{
    private readonly PaperKernel _kernel = new();

    [Fact]
    public void Text_that_goes_is_watched_no_more_and_left_once()
    {
        KprobeSubsystem kprobes = Probe(out Kprobe probe);
        kprobes.TextGone(PaperKernel.Base + 1, PaperKernel.Base + 300);
        Assert.Equal(KprobeStatus.None, probe.Flags);
        _kernel.Asked.Clear();

        kprobes.TextGone(PaperKernel.Base, PaperKernel.Base + 1);

        Assert.Equal((string[])["disarm 0", "leave 0 f", "synchronize"], _kernel.Asked);
        _kernel.Asked.Clear();
        kprobes.UnregisterKprobe(probe);
        Assert.Empty(_kernel.Asked);
    }

    [Fact]
    public void Text_is_watched_once_however_many_probes_there_are()
    {
        KprobeSubsystem kprobes = Probe(out _, KprobeStatus.Disabled);

        Assert.True(kprobes.RegisterKprobe(new Kprobe { SymbolName = "f", Flags = KprobeStatus.Disabled }).IsSuccess);
        Assert.Equal((string[])["watch 0 f"], _kernel.Asked);
        Assert.True(kprobes.RegisterKprobe(new Kprobe { SymbolName = "f" }).IsSuccess);
        Assert.Equal((string[])["watch 0 f", "arm 0 0", "synchronize"], _kernel.Asked);
    }

    [Fact]
    public void Whoever_is_registered_where_text_went_begins_on_a_boundary_and_with_what_is_there_now()
    {
        KprobeSubsystem kprobes = Probe(out Kprobe old, offset: 5);
        _kernel.Write(PaperKernel.Base, 0x31);
        _kernel.TellOfWrite(PaperKernel.Base, 1);
        kprobes.SettleText();
        Assert.True(old.IsOffBoundary);
        kprobes.TextGone(PaperKernel.Base, PaperKernel.Base + 300);
        _kernel.Write(PaperKernel.Base, 0xB8);
        _kernel.Write(PaperKernel.Base + 5, 0x55);
        _kernel.Asked.Clear();
        Kprobe next = new() { SymbolName = "f", Offset = 5 };

        Assert.True(kprobes.RegisterKprobe(next).IsSuccess);

        Assert.Equal((false, (byte)0x55, KprobeStatus.None, KprobeStatus.Gone), (next.IsOffBoundary, next.Opcode, next.Flags, old.Flags));
        Assert.Equal((string[])["watch 0 14", "arm 5 0", "synchronize"], _kernel.Asked);
    }

    [Fact]
    public void Writes_where_text_went_count_for_the_function_that_lies_there_then()
    {
        KprobeSubsystem kprobes = Probe(out _);
        _kernel.TellOfWrite(PaperKernel.Base + 16, 1);
        kprobes.TextGone(PaperKernel.Base, PaperKernel.Base + 300);
        _kernel.Text.Symbols.Clear();
        _kernel.Define("g", PaperKernel.Base + 16, [0xB8, 0, 0, 0, 0, 0x90, 0xC3, .. new byte[100]]);
        Kprobe probe = new() { SymbolName = "g", Offset = 5 };
        Assert.True(kprobes.RegisterKprobe(probe).IsSuccess);
        _kernel.Write(PaperKernel.Base + 16, 0x31);

        _kernel.TellOfWrite(PaperKernel.Base + 16, 1);
        kprobes.SettleText();

        Assert.True(probe.IsOffBoundary);
    }

    [Fact]
    public void A_return_probe_counts_anew_with_each_registration_and_takes_no_handlers_of_its_entry()
    {
        Kretprobe probe = new() { Kp = { SymbolName = "leaf" } };
        Register(probe);
        Kprobes.UnregisterKretprobe(probe);
        (probe.NMissed, probe.NoReturnAddress, probe.Returns, probe.Abandoned) = (1, 2, 3, 4);
        (probe.Kp.NMissed, probe.Kp.Hits) = (5, 6);
        (probe.Kp.Addr, probe.Kp.Flags) = (0, KprobeStatus.None);

        Register(probe);

        Assert.Equal((0UL, 0UL, 0UL, 0UL), (probe.NMissed, probe.NoReturnAddress, probe.Returns, probe.Abandoned));
        Assert.Equal((0UL, 0UL), (probe.Kp.NMissed, probe.Kp.Hits));
        Guest.Call("callrel", 1);
        Assert.Equal((1UL, 1UL), (probe.Returns, probe.Kp.Hits));
    }

    [Fact]
    public void A_call_whose_entry_handler_registers_its_probe_anew_is_not_followed()
    {
        Kretprobe probe = new() { Kp = { SymbolName = "leaf" } };
        int entries = 0;
        probe.EntryHandler = (_, ref _) =>
        {
            if (entries++ == 0)
            {
                Kprobes.UnregisterKretprobe(probe);
                (probe.Kp.Addr, probe.Kp.Flags) = (0, KprobeStatus.None);
                Register(probe);
            }

            return 0;
        };
        Register(probe);

        Guest.Call("callrel", 1);
        Assert.Equal((1, 0UL, 0), (entries, probe.Returns, probe.Open));
        Guest.Call("callrel", 1);
        Assert.Equal((2, 1UL, 0), (entries, probe.Returns, probe.Open));
    }

    [Fact]
    public void Unregistering_what_is_not_registered_clears_the_address_and_nothing_else()
    {
        Kprobe probe = new() { Addr = 5, SymbolName = "leaf", Flags = KprobeStatus.Disabled };
        Kretprobe calls = new() { Kp = { Addr = 5 } };

        Kprobes.UnregisterKprobe(probe);
        Kprobes.UnregisterKretprobe(calls);

        Assert.Equal((0UL, "leaf", KprobeStatus.Disabled), (probe.Addr, probe.SymbolName, probe.Flags));
        Assert.Equal(0UL, calls.Kp.Addr);
    }

    /// <summary>A function of mov eax, 0 with nops behind it, and a probe in it.</summary>
    private KprobeSubsystem Probe(out Kprobe probe, KprobeStatus flags = KprobeStatus.None, uint offset = 0)
    {
        _kernel.Define("f", PaperKernel.Base, [0xB8, 0, 0, 0, 0, .. Enumerable.Repeat((byte)0x90, 295)]);
        KprobeSubsystem kprobes = _kernel.Probe();
        probe = new Kprobe { SymbolName = "f", Flags = flags, Offset = offset };
        Assert.True(kprobes.RegisterKprobe(probe).IsSuccess);
        return kprobes;
    }
}
