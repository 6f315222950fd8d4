using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Saving;
using Xunit;

namespace KprobeTrace.Tests.Devices.Models;

public sealed class PicModelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Every_read_vector_and_output_is_that_of_two_models_in_cascade(int seed)
    {
        RandomWalk walk = new(seed);
        PortBus bus = new();
        bool asserted = false;
        Pic8259Pair pair = new(level => asserted = level);
        pair.Register(bus);
        PicModel master = new(isMaster: true);
        PicModel slave = new(isMaster: false);
        int vectors = 0;
        for (int i = 0; i < 20_000; i++)
        {
            if (i % CarriedOver.Steps == 0)
            {
                walk.Note("carried over");
                pair = pair.Into(new Pic8259Pair(level => asserted = level));
                pair.Register(bus = new PortBus());
            }

            bool ofMaster = walk.Below(2) == 0;
            PicModel chip = ofMaster ? master : slave;
            ushort port = (ushort)((ofMaster ? 0x20 : 0xA0) + walk.Below(2));
            switch (walk.Below(30))
            {
                case 0 when walk.Below(20) == 0:
                    walk.Note("reset");
                    pair.Reset();
                    master.Reset();
                    slave.Reset();
                    break;
                case 1:
                    byte levels = walk.Byte();
                    walk.Note($"edge/level {ofMaster} {levels:x2}");
                    bus.Write((ushort)(ofMaster ? 0x4D0 : 0x4D1), levels, 1);
                    chip.EdgeLevel = levels;
                    break;
                case 2:
                    walk.Same(chip.EdgeLevel, (int)bus.Read((ushort)(ofMaster ? 0x4D0 : 0x4D1), 1), "edge/level");
                    break;
                case < 9:
                    byte value = Command(walk, port);
                    walk.Note($"write {port:x} {value:x2}");
                    bus.Write(port, value, 1);
                    if (port % 2 == 0)
                    {
                        chip.WriteCommand(value);
                    }
                    else
                    {
                        chip.WriteData(value);
                    }

                    break;
                case < 14:
                    walk.Note($"read {port:x}");
                    walk.Same(port % 2 == 0 ? chip.ReadCommand() : chip.ReadData(), (int)bus.Read(port, 1), $"port {port:x}");
                    break;
                case < 20 when asserted || walk.Below(10) == 0:
                    walk.Note("acknowledge");
                    int input = master.Acknowledge();
                    int vector = input == Pic8259Pair.CascadeInput ? slave.Vector(slave.Acknowledge()) : master.Vector(input);
                    walk.Same(vector, pair.Acknowledge(), "vector");
                    vectors++;
                    break;
                default:
                    int irq = walk.Below(16);
                    bool up = walk.Below(2) == 0;
                    walk.Note($"input {irq} {up}");
                    pair.SetInput(irq, up);
                    if (irq >= 8)
                    {
                        slave.Input(irq - 8, up);
                    }
                    else if (irq != Pic8259Pair.CascadeInput)
                    {
                        master.Input(irq, up);
                    }

                    break;
            }

            master.Input(Pic8259Pair.CascadeInput, slave.Output);
            walk.Same(master.Output, asserted, "output");
        }

        Assert.True(vectors > 500, $"{vectors} acknowledges");
    }

    /// <summary>Often an end of interrupt, seldom an initialisation or a mask that lets nothing through.</summary>
    private static byte Command(RandomWalk walk, ushort port)
    {
        byte value = walk.Byte();
        return (port % 2 == 0, walk.Below(8)) switch
        {
            (true, 0) => value,
            (true, < 5) => (byte)(walk.OneOf(0x20, 0x60, 0xA0, 0xE0, 0xC0, 0x80, 0x00) | walk.Below(8)),
            (true, _) => (byte)((value & 0x67) | 0x08),
            (false, < 4) => (byte)(value & walk.Byte()),
            _ => value,
        };
    }
}
