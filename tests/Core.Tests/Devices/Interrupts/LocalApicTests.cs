using KprobeTrace.Devices.Interrupts;
using Xunit;

namespace KprobeTrace.Tests.Devices.Interrupts;

public sealed class LocalApicTests
{
    private const int Tpr = 0x80;
    private const int Eoi = 0xB0;
    private const int Svr = 0xF0;
    private const int IcrLow = 0x300;
    private const int IcrHigh = 0x310;
    private const int LvtTimer = 0x320;
    private const int LvtLint0 = 0x350;
    private const int InitialCount = 0x380;
    private const int CurrentCount = 0x390;
    private const int Divide = 0x3E0;

    private readonly TestTime _time = new();
    private readonly ApicBus _bus = new();
    private readonly RecordingProcessor _processor = new();
    private readonly LocalApic _apic;

    public LocalApicTests()
    {
        _apic = new LocalApic(0, true, _time.Clock, _bus, _processor);
    }

    [Fact]
    public void Powers_up_masked_and_disabled()
    {
        Assert.Equal(0x00050014u, Get(0x30));
        Assert.Equal(0xFFu, Get(Svr));
        Assert.Equal(0xFFFFFFFFu, Get(0xE0));
        for (int offset = LvtTimer; offset <= 0x370; offset += 0x10)
        {
            Assert.Equal(0x10000u, Get(offset));
        }

        Put(LvtTimer, 0x40);
        Assert.Equal(0x10040u, Get(LvtTimer));
        SelfInterrupt(0x40);
        Assert.False(_processor.Pending);
    }

    [Fact]
    public void Delivers_the_highest_vector_first_and_the_next_after_its_end()
    {
        Enable();
        SelfInterrupt(0x41);
        SelfInterrupt(0x93);

        Assert.True(_processor.Pending);
        Assert.Equal(0x93, _apic.AcknowledgeInterrupt());
        Assert.Equal(0x90u, Get(0xA0));
        Assert.False(_processor.Pending);
        Assert.Equal(1u << 0x13, Get(0x140));
        Assert.Equal(1u << 1, Get(0x220));

        Put(Eoi, 0);
        Assert.True(_processor.Pending);
        Assert.Equal(0x41, _apic.AcknowledgeInterrupt());
        Put(Eoi, 0);
        Assert.Equal(0u, Get(0xA0));
    }

    [Fact]
    public void A_vector_of_the_same_class_waits()
    {
        Enable();
        SelfInterrupt(0x41);
        _apic.AcknowledgeInterrupt();

        SelfInterrupt(0x4F);
        Assert.False(_processor.Pending);
        SelfInterrupt(0x50);
        Assert.True(_processor.Pending);
    }

    [Fact]
    public void The_task_priority_holds_back_its_class_and_lower_ones()
    {
        Enable();
        _apic.TaskPriority = 0x40;
        SelfInterrupt(0x4F);
        Assert.False(_processor.Pending);
        Assert.Equal(0x40u, Get(Tpr));

        Put(Tpr, 0x3F);

        Assert.True(_processor.Pending);
        Assert.Equal(0x3F, _apic.TaskPriority);
    }

    [Fact]
    public void An_acknowledge_without_a_request_gives_the_spurious_vector()
    {
        Enable();

        Assert.Equal(0xFF, _apic.AcknowledgeInterrupt());
        Assert.Equal(0u, Get(0x170));
    }

    [Fact]
    public void A_level_triggered_message_sets_the_trigger_mode_register()
    {
        Enable();

        _bus.Deliver(new ApicMessage(ApicDeliveryMode.Fixed, 0x61, 0, false, true));
        Assert.Equal(2u, Get(0x1B0));

        _bus.Deliver(new ApicMessage(ApicDeliveryMode.Fixed, 0x61, 0, false, false));
        Assert.Equal(0u, Get(0x1B0));
    }

    [Fact]
    public void Passes_the_8259_interrupts_through_in_virtual_wire_mode()
    {
        _apic.ExternalVector = () => 0x08;
        _apic.SetLocalInput(0, true);
        Assert.False(_processor.Pending);

        _apic.EnterVirtualWire();

        Assert.Equal((0x700u, 0x400u), (Get(0x350), Get(0x360)));
        Assert.True(_processor.Pending);
        Assert.Equal(0x08, _apic.AcknowledgeInterrupt());
        Assert.Equal(0u, Get(0x100));
        _apic.SetLocalInput(0, false);
        Assert.False(_processor.Pending);
    }

    [Fact]
    public void Reset_leaves_no_priority()
    {
        Enable();
        _apic.TaskPriority = 0x90;

        _apic.Reset();

        Assert.Equal((0u, 0u), (Get(0x80), Get(0xA0)));
        Assert.Equal(0u, _apic.TaskPriority);
    }

    [Fact]
    public void External_interrupts_bypass_the_priorities()
    {
        _apic.ExternalVector = () => 0x08;
        _apic.EnterVirtualWire();
        _apic.TaskPriority = 0xFF;

        _apic.SetLocalInput(0, true);

        Assert.True(_processor.Pending);
    }

    [Fact]
    public void A_globally_disabled_apic_leaves_the_interrupt_pin()
    {
        List<(ulong, bool)> moves = [];
        _apic.BaseChanged = (address, enabled) => moves.Add((address, enabled));
        _apic.ExternalVector = () => 0x09;

        Assert.True(_apic.TryWriteMsr(LocalApic.MsrApicBase, 0xFEE00100));
        _apic.SetLocalInput(0, true);

        Assert.True(_processor.Pending);
        Assert.Equal(0x09, _apic.AcknowledgeInterrupt());
        Assert.Equal([(0xFEE00000, false)], moves);
    }

    [Fact]
    public void The_base_register_refuses_reserved_bits()
    {
        Assert.True(_apic.TryReadMsr(LocalApic.MsrApicBase, out ulong value));
        Assert.Equal(0xFEE00900u, value);

        Assert.False(_apic.TryWriteMsr(LocalApic.MsrApicBase, value | 0x400));
        Assert.False(_apic.TryWriteMsr(LocalApic.MsrApicBase, value | (1UL << 60)));
        Assert.True(_apic.TryWriteMsr(LocalApic.MsrApicBase, 0xFEC80900));
        Assert.False(_apic.TryReadMsr(0x10, out _));
    }

    [Fact]
    public void Counts_down_once()
    {
        Enable();
        Put(Divide, 0x0B);
        Put(LvtTimer, 0x40);
        Put(InitialCount, 1000);
        Assert.Equal(1000u, Get(CurrentCount));

        _time.Advance(999);
        Assert.Equal(1u, Get(CurrentCount));
        Assert.False(_processor.Pending);

        _time.Advance(1);
        Assert.True(_processor.Pending);
        Assert.Equal(0x40, _apic.AcknowledgeInterrupt());
        Assert.Equal(0u, Get(CurrentCount));
        _time.Advance(10_000);
        Assert.Equal(long.MaxValue, _time.Clock.NextDeadline);
    }

    [Theory]
    [InlineData(0x0, 2)]
    [InlineData(0x1, 4)]
    [InlineData(0x2, 8)]
    [InlineData(0x3, 16)]
    [InlineData(0x8, 32)]
    [InlineData(0x9, 64)]
    [InlineData(0xA, 128)]
    [InlineData(0xB, 1)]
    public void Divides_as_the_configuration_says(int configuration, int divisor)
    {
        Enable();
        Put(LvtTimer, 0x40);
        Put(Divide, (uint)configuration);
        Put(InitialCount, 100);

        Assert.Equal(100 * divisor, _time.Clock.NextDeadline);
        _time.Advance(10 * divisor);
        Assert.Equal(90u, Get(CurrentCount));
    }

    [Fact]
    public void Repeats_without_drift_in_periodic_mode()
    {
        Enable();
        Put(Divide, 0x0B);
        Put(LvtTimer, 0x20040);
        Put(InitialCount, 1000);
        int interrupts = 0;

        for (int i = 0; i < 10; i++)
        {
            _time.Advance(1000);
            while (_processor.Pending)
            {
                _apic.AcknowledgeInterrupt();
                Put(Eoi, 0);
                interrupts++;
            }
        }

        Assert.Equal(10, interrupts);
        Assert.Equal(11_000, _time.Clock.NextDeadline);
        Put(InitialCount, 0);
        Assert.Equal(long.MaxValue, _time.Clock.NextDeadline);
    }

    [Fact]
    public void A_masked_periodic_timer_counts_without_waking_anybody()
    {
        Enable();
        Put(Divide, 0x0B);
        Put(LvtTimer, 0x30040);
        Put(InitialCount, 1000);
        Assert.Equal(long.MaxValue, _time.Clock.NextDeadline);

        _time.Advance(2_500);
        Assert.Equal(500u, Get(CurrentCount));
        Assert.False(_processor.Pending);

        Put(LvtTimer, 0x20040);
        Assert.Equal(3000, _time.Clock.NextDeadline);
    }

    [Theory]
    [InlineData(0x30040u, 0x10040u, 500u)]
    [InlineData(0x10040u, 0x30040u, 0u)]
    [InlineData(0x30040u, 0x00040u, 500u)]
    [InlineData(0x10040u, 0x20040u, 0u)]
    public void The_time_before_a_change_of_mode_is_counted_in_the_old_mode(uint before, uint after, uint left)
    {
        Enable();
        Put(Divide, 0x0B);
        Put(LvtTimer, before);
        Put(InitialCount, 1000);
        _time.Advance(2_500);

        Put(LvtTimer, after);

        Assert.Equal(left, Get(CurrentCount));
        _time.Advance(1000);
        Assert.Equal(left != 0 && (after & 0x10000) == 0, _processor.Pending);
    }

    [Fact]
    public void Expires_at_the_time_stamp_of_the_deadline()
    {
        Enable();
        _apic.TscOffset = 5000;
        Put(LvtTimer, 0x40040);
        Assert.True(_apic.TryWriteMsr(LocalApic.MsrTscDeadline, 6234));
        Assert.True(_apic.TryReadMsr(LocalApic.MsrTscDeadline, out ulong armed));
        Assert.Equal(6234u, armed);

        Assert.Equal(1234, _time.Clock.NextDeadline);
        _time.Advance(1234);

        Assert.True(_processor.Pending);
        Assert.True(_apic.TryReadMsr(LocalApic.MsrTscDeadline, out ulong after));
        Assert.Equal(0u, after);
    }

    [Fact]
    public void A_deadline_in_the_past_expires_at_once_and_zero_disarms()
    {
        Enable();
        _time.Advance(100);
        Put(LvtTimer, 0x40040);

        _apic.TryWriteMsr(LocalApic.MsrTscDeadline, 1000);
        _apic.TryWriteMsr(LocalApic.MsrTscDeadline, 0);
        Assert.Equal(long.MaxValue, _time.Clock.NextDeadline);

        _apic.TryWriteMsr(LocalApic.MsrTscDeadline, 50);
        _time.Advance(0);
        Assert.True(_processor.Pending);
    }

    [Fact]
    public void The_deadline_is_ignored_in_the_other_timer_modes()
    {
        Enable();
        Put(LvtTimer, 0x40);

        Assert.True(_apic.TryWriteMsr(LocalApic.MsrTscDeadline, 50));

        Assert.True(_apic.TryReadMsr(LocalApic.MsrTscDeadline, out ulong value));
        Assert.Equal(0u, value);
        Assert.Equal(long.MaxValue, _time.Clock.NextDeadline);
    }

    [Fact]
    public void An_illegal_vector_is_an_error()
    {
        Enable();
        Put(0x370, 0xFE);

        SelfInterrupt(0x05);

        Assert.Equal(0u, Get(0x280));
        Put(0x280, 0);
        Assert.Equal(0x20u, Get(0x280));
        Assert.Equal(0xFE, _apic.AcknowledgeInterrupt());
        Put(0x280, 0);
        Assert.Equal(0u, Get(0x280));
    }

    /// <summary>A command to oneself (shorthand 1) with each delivery mode and a vector: what arrives, and the error that is told.</summary>
    [Theory]
    [InlineData(0, 0x0F, -1, 0x20)]
    [InlineData(0, 0x10, 0x10, 0)]
    [InlineData(1, 0x0F, -1, 0x20)]
    [InlineData(1, 0x10, 0x10, 0)]
    [InlineData(1, 0x61, 0x61, 0)]
    [InlineData(2, 0x0F, -1, 0)]
    [InlineData(2, 0x61, -1, 0)]
    [InlineData(3, 0x61, -1, 0)]
    [InlineData(4, 0x05, -1, 0)]
    [InlineData(4, 0x61, -1, 0)]
    [InlineData(5, 0x61, -1, 0)]
    [InlineData(6, 0x61, -1, 0)]
    [InlineData(7, 0x61, -1, 0)]
    public void Only_modes_with_a_vector_go_to_oneself(uint mode, uint vector, int arrives, uint error)
    {
        Enable();
        Put(IcrLow, 0x44000 | (mode << 8) | vector);

        Assert.Equal(arrives >= 0, _processor.Pending);
        if (arrives >= 0)
        {
            Assert.Equal(arrives, _apic.AcknowledgeInterrupt());
        }

        Put(0x280, 0);
        Assert.Equal(error, Get(0x280));
        Assert.Empty(_processor.Calls);
    }

    /// <summary>A local pin whose entry has each delivery mode and the vector 0x61, and is masked or not.</summary>
    [Theory]
    [InlineData(0x00061u, 0x61, null)]
    [InlineData(0x10061u, -1, null)]
    [InlineData(0x00461u, -1, "nmi")]
    [InlineData(0x10461u, -1, null)]
    [InlineData(0x00761u, 0x08, null)]
    [InlineData(0x10761u, -1, null)]
    public void Rise_of_a_local_pin_is_what_its_entry_says(uint entry, int arrives, string? call)
    {
        Enable();
        _apic.ExternalVector = () => 0x08;
        Put(LvtLint0, entry);
        _apic.SetLocalInput(0, true);

        Assert.Equal(arrives >= 0, _processor.Pending);
        if (arrives >= 0)
        {
            Assert.Equal(arrives, _apic.AcknowledgeInterrupt());
        }

        Assert.All(Enumerable.Range(0, 8), word => Assert.Equal(0u, Get(0x180 + (word * 16)))); // none of them is level-triggered
        Assert.Equal(call is null ? [] : [call], _processor.Calls);
        _apic.SetLocalInput(0, true);
        Assert.Equal(call is null ? [] : [call], _processor.Calls);
    }

    [Fact]
    public void Disabling_by_software_masks_the_local_vectors_and_holds_requests()
    {
        Enable();
        Put(LvtLint0, 0x700);
        SelfInterrupt(0x50);

        Put(Svr, 0xFF);
        Assert.Equal(0x10700u, Get(LvtLint0));
        Assert.False(_processor.Pending);

        Put(Svr, 0x1FF);
        Assert.True(_processor.Pending);
    }

    [Fact]
    public void Commands_reach_other_processors()
    {
        RecordingProcessor second = new();
        RecordingProcessor third = new();
        LocalApic other = new(1, false, _time.Clock, _bus, second);
        _ = new LocalApic(2, false, _time.Clock, _bus, third);
        Enable();
        other.Write(Svr, 0x1FF, 4);

        Put(IcrHigh, 1u << 24);
        Put(IcrLow, 0x4500);
        Put(IcrLow, 0x8500);
        Put(IcrLow, 0x4699);
        other.Write(Svr, 0x1FF, 4);
        Put(IcrLow, 0x4061);
        Put(IcrLow, 0xC4400);

        Assert.Equal(["init", "startup 99", "nmi"], second.Calls);
        Assert.Equal(["nmi"], third.Calls);
        Assert.Empty(_processor.Calls);
        Assert.Equal(0x61, other.AcknowledgeInterrupt());
        Assert.Equal(0u, Get(IcrLow) & 0x1000);
    }

    [Theory]
    [InlineData(0xFFFFFFFFu, 0x04000000u, 0x04, true)]
    [InlineData(0xFFFFFFFFu, 0x04000000u, 0x0C, true)]
    [InlineData(0xFFFFFFFFu, 0x04000000u, 0x08, false)]
    [InlineData(0x0FFFFFFFu, 0x21000000u, 0x21, true)]
    [InlineData(0x0FFFFFFFu, 0x21000000u, 0x23, true)]
    [InlineData(0x0FFFFFFFu, 0x21000000u, 0x11, false)]
    [InlineData(0x0FFFFFFFu, 0x21000000u, 0x22, false)]
    [InlineData(0xFFFFFFFFu, 0x00000000u, 0xFF, true)]
    public void Matches_logical_destinations(uint format, uint logical, byte destination, bool expected)
    {
        Enable();
        Put(0xE0, format);
        Put(0xD0, logical);

        _bus.Deliver(new ApicMessage(ApicDeliveryMode.Fixed, 0x61, destination, true, false));

        Assert.Equal(expected, _processor.Pending);
    }

    [Fact]
    public void A_lowest_priority_message_goes_to_one_processor()
    {
        RecordingProcessor second = new();
        LocalApic other = new(1, false, _time.Clock, _bus, second);
        Enable();
        other.Write(Svr, 0x1FF, 4);
        Put(Tpr, 0x20);

        _bus.Deliver(new ApicMessage(ApicDeliveryMode.LowestPriority, 0x61, 0xFF, false, false));

        Assert.False(_processor.Pending);
        Assert.True(second.Pending);
    }

    [Fact]
    public void Registers_answer_aligned_double_words()
    {
        Enable();

        _apic.Write(Svr, 0, 1);
        _apic.Write(Svr + 4, 0, 4);

        Assert.Equal(0x1FFu, Get(Svr));
        Assert.Equal(0u, _apic.Read(Svr + 4, 4));
        Assert.Equal(0x01u, _apic.Read(Svr + 1, 1) & 0xFF);
    }

    private void Enable() => Put(Svr, 0x1FF);

    private void SelfInterrupt(byte vector) => Put(IcrLow, 0x44000u | vector);

    private uint Get(int offset) => (uint)_apic.Read((ulong)offset, 4);

    private void Put(int offset, uint value) => _apic.Write((ulong)offset, value, 4);
}
