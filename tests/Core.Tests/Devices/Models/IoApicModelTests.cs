using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Saving;
using Xunit;

namespace KprobeTrace.Tests.Devices.Models;

/// <summary>The I/O APIC beside its data sheet's rules for one input, kept in plain fields.</summary>
public sealed class IoApicModelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Every_entry_and_delivery_is_that_of_inputs_kept_one_by_one(int seed)
    {
        RandomWalk walk = new(seed);
        ApicBus bus = new();
        RecordingProcessor processor = new();
        LocalApic local = new(0, true, new TestTime().Clock, bus, processor);
        local.Write(0xF0, 0x1FF, 4);
        IoApic apic = new(bus);
        Input[] inputs = [.. Enumerable.Range(0, 24).Select(static _ => new Input())];
        LocalApicModel model = new();
        model.Spurious(0x1FF);
        int taken = 0;
        for (int i = 0; i < 20_000; i++)
        {
            if (i % CarriedOver.Steps == 0)
            {
                walk.Note("carried over");
                local = local.Into(new LocalApic(0, true, new TestTime().Clock, bus = new ApicBus(), processor));
                apic = apic.Into(new IoApic(bus));
            }

            int n = walk.OneOf(walk.Below(24), walk.Below(3), 23);
            Input input = inputs[n];
            switch (walk.Below(16))
            {
                case < 4:
                    uint low = (uint)(walk.Below(64) | 0x10 | (walk.OneOf(0, 0, 1) << 8) | (walk.Below(2) << 15) | (walk.Below(4) == 0 ? 0x10000 : 0)
                        | (walk.Below(4) << 12));
                    walk.Note($"entry {n} {low:x}");
                    Select(0x10 + (2 * n));
                    apic.Write(0x10, low, walk.OneOf(4, 8));
                    input.Low = low & ~0x5000u;
                    input.Remote &= input.IsLevel;
                    Ask(input);
                    break;
                case 4:
                    uint high = (uint)walk.OneOf(0, 0, 0xFF, 5) << 24;
                    walk.Note($"destination {n} {high:x}");
                    Select(0x11 + (2 * n));
                    apic.Write(0x10, high | 0xFFFF, 4);
                    input.High = high;
                    Ask(input);
                    break;
                case < 11:
                    bool level = walk.Below(2) == 0;
                    walk.Note($"input {n} {level}");
                    apic.SetInput(n, level);
                    bool rises = level && !input.Level;
                    input.Level = level;
                    if (!input.IsLevel && rises && !input.IsMasked)
                    {
                        Send(input);
                    }

                    Ask(input);
                    break;
                case < 14 when processor.Pending:
                    walk.Note("acknowledge");
                    walk.Same(model.Acknowledge(), local.AcknowledgeInterrupt(), "vector");
                    taken++;
                    break;
                case 14:
                    int vector = walk.Below(64) | 0x10;
                    walk.Note($"end {vector:x}");
                    apic.Write(0x40, (ulong)vector, 4);
                    End(vector);
                    break;
                default:
                    walk.Note("end of interrupt");
                    local.Write(0xB0, 0, 4);
                    End(model.End());
                    break;
            }

            Select(0x10 + (2 * n));
            walk.Same(input.Low | (input.Remote ? 0x4000u : 0), (uint)apic.Read(0x10, 4), $"entry {n}");
            walk.Same(0x10u + (2 * (uint)n), (uint)apic.Read(0, 4), "selector");
            Select(0x11 + (2 * n));
            walk.Same(input.High, (uint)apic.Read(0x10, 4), $"destination {n}");
            walk.Same(model.Pending, processor.Pending, "pending");
        }

        Assert.True(taken > 500, $"{taken} interrupts");

        void Select(int register) => apic.Write(0, (ulong)register, 4);

        void End(int vector)
        {
            foreach (Input input in inputs.Where(x => x.Low % 256 == vector && x.Remote))
            {
                input.Remote = false;
                Ask(input);
            }
        }

        void Ask(Input input)
        {
            if (input.IsLevel && input.Level && !input.IsMasked && !input.Remote)
            {
                input.Remote = true;
                Send(input);
            }
        }

        void Send(Input input)
        {
            if (input.High is 0 or 0xFF000000)
            {
                model.Take((int)(input.Low % 256), input.IsLevel);
            }
        }
    }

    [Theory]
    [InlineData(0x00, 0xFFFFFFFFu, 0x0F000000u)]
    [InlineData(0x01, 0xFFFFFFFFu, 0x00170020u)]
    [InlineData(0x02, 0xFFFFFFFFu, 0x00000000u)]
    [InlineData(0x03, 0xFFFFFFFFu, 0x00000000u)]
    [InlineData(0x0F, 0xFFFFFFFFu, 0x00000000u)]
    [InlineData(0x3E, 0xFFFFFFFFu, 0x0001AFFFu)]
    [InlineData(0x3F, 0xFFFFFFFFu, 0xFF000000u)]
    [InlineData(0x40, 0xFFFFFFFFu, 0x00000000u)]
    [InlineData(0xFF, 0xFFFFFFFFu, 0x00000000u)]
    public void Keeps_the_bits_that_exist_and_takes_whole_words_only(int register, uint written, uint kept)
    {
        IoApic apic = new(new ApicBus());
        apic.Write(0, 0xA5A5A500u | (uint)register, 4);
        ulong before = apic.Read(0x10, 4);
        apic.Write(0x10, written, 2);
        apic.Write(0x14, written, 4);
        Assert.Equal(before, apic.Read(0x10, 4));

        apic.Write(0x10, written, 4);

        Assert.Equal(kept, (uint)apic.Read(0x10, 4));
        Assert.Equal(kept >> 8, (uint)apic.Read(0x11, 2));
        Assert.Equal(0u, (uint)apic.Read(0x20, 4));
        apic.Reset();
        Assert.Equal(0u, (uint)apic.Read(0, 4));
        Assert.Equal(0u, (uint)apic.Read(0x10, 4));
    }

    private sealed class Input
    {
        public uint Low { get; set; } = 0x10000;

        public uint High { get; set; }

        public bool Remote { get; set; }

        public bool Level { get; set; }

        public bool IsLevel => (Low & 0x8000) != 0;

        public bool IsMasked => (Low & 0x10000) != 0;
    }
}
