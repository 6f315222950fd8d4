using KprobeTrace.Devices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Timing;
using KprobeTrace.Tests.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Saving;
using Xunit;

namespace KprobeTrace.Tests.Devices.Models;

public sealed class PitModelTests
{
    private static readonly TickRate _rate = new(Pit8254.Frequency);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Every_read_output_and_interrupt_is_that_of_counters_that_count_pulse_by_pulse(int seed)
    {
        RandomWalk walk = new(seed);
        TestTime time = new();
        PortBus bus = new();
        (InterruptLine line, LevelRecorder irq) = LevelRecorder.Create();
        Pit8254 pit = new(time.Clock, line);
        pit.Register(bus);
        PitModel[] models = [new(gate: true), new(gate: true), new(gate: false)];
        // The line shows the output whenever counter 0 is written; in between it rises with it and waits for the processor.
        bool up = false;
        int rises = 0;
        for (int i = 0; i < 3; i++)
        {
            int control = (i << 6) | 0x30 | (i * 2);
            bus.Write(0x43, (uint)control, 1);
            models[i].Control(control);
        }

        for (int i = 0; i < 8_000; i++)
        {
            if (i % CarriedOver.Steps == 0)
            {
                walk.Note("carried over");
                TestTime later = time.Anew();
                pit = pit.Into(new Pit8254(later.Clock, line));
                pit.Register(bus = new PortBus());
                time = time.Into(later);
            }

            int counter = walk.OneOf(0, 0, 1, 2, 2, 2);
            PitModel model = models[counter];
            switch (walk.Below(30))
            {
                case 0:
                    int control = (counter << 6) | (walk.OneOf(1, 2, 3, 3) << 4) | walk.Below(16);
                    walk.Note($"control {control:x2}");
                    bus.Write(0x43, (uint)control, 1);
                    model.Control(control);
                    Written(counter);
                    break;
                case < 4:
                    walk.Note($"latch {counter}");
                    bus.Write(0x43, (uint)((counter << 6) | walk.Below(16)), 1);
                    model.LatchCount();
                    break;
                case < 7:
                    int command = 0xC0 | walk.Below(64);
                    walk.Note($"read back {command:x2}");
                    bus.Write(0x43, (uint)command, 1);
                    ReadBack(models, command);
                    break;
                case < 11:
                    int value = walk.Below(3) == 0 ? 0 : (walk.Below(4) * 16) + walk.Below(10);
                    walk.Note($"write {counter} {value:x2}");
                    bus.Write((ushort)(0x40 + counter), (uint)value, 1);
                    model.Write(value);
                    Written(counter);
                    break;
                case < 14 when !(models[2].Mode == 4 && !models[2].Out):
                    bool gate = walk.Below(2) == 0;
                    walk.Note($"gate {gate}");
                    pit.SpeakerGate = gate;
                    models[2].Gate(gate);
                    break;
                case < 20:
                    walk.Note($"read {counter}");
                    walk.Same(model.Read(), (int)bus.Read((ushort)(0x40 + counter), 1), $"counter {counter} in mode {model.Mode}");
                    break;
                default:
                    int ticks = walk.OneOf(1, 1, 1, 2, walk.Below(8), walk.Below(70), walk.Below(walk.Below(20) == 0 ? 80_000 : 500));
                    walk.Note($"advance {ticks}");
                    time.AdvanceTo(_rate.ToNanoseconds(_rate.ToTicks(time.Clock.Now) + ticks));
                    int seen = models[0].Rises;
                    for (int n = 0; n < 3 * ticks; n++)
                    {
                        models[n % 3].Pulse();
                    }

                    rises += models[0].Rises - seen;
                    up |= models[0].Rises > seen;
                    break;
            }

            walk.Same(models[2].Out, pit.SpeakerOutput, $"output of counter 2 in mode {models[2].Mode}");
            walk.Same(rises, irq.Rises, $"interrupts in mode {models[0].Mode}");
            Assert.Equal(0xFFu, bus.Read(0x43, 1));
        }

        Assert.True(irq.Rises > 500, $"{irq.Rises} interrupts");

        void Written(int counter)
        {
            if (counter == 0)
            {
                rises += models[0].Out && !up ? 1 : 0;
                up = models[0].Out;
            }
        }
    }

    private static void ReadBack(PitModel[] models, int command)
    {
        for (int i = 0; i < 3; i++)
        {
            if (command / (2 << i) % 2 == 1 && (command & 0x20) == 0)
            {
                models[i].LatchCount();
            }

            if (command / (2 << i) % 2 == 1 && (command & 0x10) == 0)
            {
                models[i].LatchStatus();
            }
        }
    }
}
