using KprobeTrace.Devices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Saving;
using Xunit;

namespace KprobeTrace.Tests.Devices.Models;

public sealed class RtcModelTests
{
    private static readonly int[] _fields = [0, 2, 4, 6, 7, 8, 9, 0x32];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Every_read_and_the_line_are_those_of_a_clock_that_counts_seconds(int seed)
    {
        RandomWalk walk = new(seed);
        TestTime time = new();
        PortBus bus = new();
        (InterruptLine line, LevelRecorder irq) = LevelRecorder.Create();
        RtcMc146818 rtc = new(time.Clock, line);
        rtc.Register(bus);
        RtcModel model = new();
        int rises = 0;
        for (int i = 0; i < 6_000; i++)
        {
            if (i % CarriedOver.Steps == 0)
            {
                walk.Note("carried over");
                TestTime later = time.Anew();
                rtc = rtc.Into(new RtcMc146818(later.Clock, line));
                rtc.Register(bus = new PortBus());
                time = time.Into(later);
            }

            int register = walk.OneOf(walk.Below(15), walk.Below(15), 0x32, 0x40, 0x7F, 0x0C, 0x0B);
            if (register == 0x0E)
            {
                register = 0x0A;
            }

            walk.Note($"index {register:x}");
            bus.Write(0x70, (uint)(register | (walk.Below(2) << 7)), 1);
            switch (walk.Below(20))
            {
                case 0 when walk.Below(20) == 0:
                    rtc.Reset();
                    model.Reset();
                    break;
                case < 6:
                    Advance(walk, time, model);
                    break;
                case < 11:
                    Write(walk, bus, model, register);
                    break;
                default:
                    walk.Same(model.Read(register), (int)bus.Read(0x71, 1), $"register {register:x}");
                    break;
            }

            walk.Same(model.Line, irq.Level, "line");
            rises = irq.Rises;
        }

        Assert.True(rises > 50, $"{rises} interrupts");
    }

    private static void Advance(RandomWalk walk, TestTime time, RtcModel model)
    {
        long step = walk.Below(5) switch
        {
            0 => walk.Below(400_000),
            1 => 1_000_000_000 - walk.Below(300_000),
            2 => walk.Below(2_000_000_000),
            3 => 1_000_000_000L * walk.Below(100),
            _ => 1_000_000_000L * walk.Below(walk.Below(20) == 0 ? 200_000 : 3700),
        };
        walk.Note($"advance {step}");
        time.Advance(step);
        model.AdvanceTo(time.Clock.Now);
    }

    private static void Write(RandomWalk walk, PortBus bus, RtcModel model, int register)
    {
        int value;
        if (_fields.Contains(register))
        {
            if (register is 9 or 0x32 && model.IsLeapDay)
            {
                return;
            }

            value = model.SetField(register, walk.Random);
        }
        else
        {
            value = register switch
            {
                1 or 3 or 5 => model.Alarm(register, walk.Random),
                0x0A => walk.OneOf(0x20, 0x20, 0x60, 0xA0) | walk.Below(16),
                0x0B => walk.Byte() & walk.OneOf(0x7F, 0x7F, 0x7F, 0xFF),
                _ => walk.Byte(),
            };
            model.WriteOther(register, value);
        }

        walk.Note($"write {register:x} {value:x}");
        bus.Write(0x71, (uint)value, 1);
    }
}
