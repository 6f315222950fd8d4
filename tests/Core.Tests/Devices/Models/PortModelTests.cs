using KprobeTrace.Devices;
using KprobeTrace.Devices.Acpi;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Saving;
using Xunit;

namespace KprobeTrace.Tests.Devices.Models;

/// <summary>The small devices at ports beside plain second ways of keeping their registers.</summary>
public sealed class PortModelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Power_management_registers_are_bytes_of_a_block_with_a_counter_behind_it(int seed)
    {
        RandomWalk walk = new(seed);
        TestTime time = new();
        PortBus bus = new();
        RecordingPower power = new();
        (InterruptLine line, LevelRecorder irq) = LevelRecorder.Create();
        AcpiPowerManagement device = new(time.Clock, line, power);
        device.Register(bus);
        int[] writable = [0, 0, 0x21, 0x05, 0x02, 0x1C];
        int[] bytes = new int[6];
        long carries = 0;
        int off = 0;
        int rises = 0;
        bool up = false;
        for (int i = 0; i < 10_000; i++)
        {
            if (i % CarriedOver.Steps == 0)
            {
                walk.Note("carried over");
                TestTime later = time.Anew();
                device = device.Into(new AcpiPowerManagement(later.Clock, line, power));
                device.Register(bus = new PortBus());
                time = time.Into(later);
            }

            int size = walk.OneOf(1, 2, 4);
            int at = walk.Below(13 - size);
            switch (walk.Below(6))
            {
                case 0 when walk.Below(10) == 0:
                    walk.Note("reset");
                    device.Reset();
                    Array.Clear(bytes);
                    break;
                case < 2:
                    long step = walk.Below(4) == 0 ? 1_000_000_000L * walk.Below(1000) : walk.Below(100_000);
                    walk.Note($"advance {step}");
                    time.Advance(step);
                    break;
                case < 4 when at < 8:
                    uint value = (uint)walk.Random.NextInt64(1L << (8 * size)) & (uint)walk.Random.NextInt64(1L << 32);
                    if (walk.Below(20) == 0)
                    {
                        (at, size, value) = (4, 2, 0x3400u | (uint)(walk.Below(2) << walk.Below(16)));
                    }

                    walk.Note($"write {at} {size} {value:x}");
                    bus.Write((ushort)(0x600 + at), value, size);
                    bool sleeps = false;
                    for (int n = 0; n < size && at + n < 6; n++)
                    {
                        int part = (int)(value >> (8 * n)) & 0xFF;
                        bytes[at + n] = at + n < 2 ? bytes[at + n] & ~part : part & writable[at + n];
                        sleeps |= at + n == 5 && (part & 0x20) != 0;
                    }

                    off += sleeps && bytes[5] == 0x14 ? 1 : 0;
                    break;
                default:
                    walk.Note($"read {at} {size}");
                    long ticks = (long)((Int128)time.Clock.Now * 3_579_545 / 1_000_000_000);
                    uint expected = 0;
                    for (int n = 0; n < size; n++)
                    {
                        int port = at + n;
                        int part = port < 6 ? bytes[port] | (port == 4 ? 1 : 0) : port < 8 ? 0 : (int)(ticks >> (8 * (port - 8))) & 0xFF;
                        expected |= (uint)part << (8 * n);
                    }

                    if (at < 8 && at + size > 8)
                    {
                        break;
                    }

                    walk.Same(expected, bus.Read((ushort)(0x600 + at), size), $"port {at}");
                    break;
            }

            long half = (long)((Int128)time.Clock.Now * 3_579_545 / 1_000_000_000 / (1L << 31));
            bytes[0] |= half != carries ? 1 : 0;
            carries = half;
            bool asserted = (bytes[0] & bytes[2] & 1) != 0;
            rises += asserted && !up ? 1 : 0;
            up = asserted;
            walk.Same(asserted, irq.Level, "interrupt");
            walk.Same(off, power.Calls.Count, "power off");
        }

        Assert.True(rises > 5 && off > 5, $"{rises} interrupts, {off} times off");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void The_keyboard_controller_answers_as_a_list_of_its_commands_has_it(int seed)
    {
        RandomWalk walk = new(seed);
        PortBus bus = new();
        RecordingPower power = new();
        (InterruptLine line, LevelRecorder irq) = LevelRecorder.Create();
        KeyboardController8042 device = new(line, power);
        device.Register(bus);
        int[] ram = new int[32];
        ram[0] = 0x45;
        (int waiting, int output, int resets) = (0, 0, 0);
        (bool full, bool late, bool command, bool system) = (false, false, false, true);
        for (int i = 0; i < 10_000; i++)
        {
            if (i % CarriedOver.Steps == 0)
            {
                walk.Note("carried over");
                device = device.Into(new KeyboardController8042(line, power));
                device.Register(bus = new PortBus());
            }

            int value = walk.Below(2) == 0 ? walk.Below(256) : walk.OneOf(0x20, 0x60, 0xA9, 0xAA, 0xAB, 0xAD, 0xAE, 0xC0, 0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xF0, 0xFE, 0xFF);
            switch (walk.Below(8))
            {
                case 0 when walk.Below(20) == 0:
                    walk.Note("reset");
                    device.Reset();
                    Array.Clear(ram);
                    ram[0] = 0x45;
                    (waiting, full, late, command, system) = (0, false, false, false, true);
                    break;
                case < 3:
                    walk.Note($"command {value:x2}");
                    bus.Write(0x64, (uint)value, 1);
                    command = true;
                    waiting = value is (>= 0x60 and < 0x80) or (>= 0xD1 and <= 0xD4) ? value : 0;
                    int? answer = value switch
                    {
                        >= 0x20 and < 0x40 => ram[value % 32],
                        0xA9 => 2,
                        0xAA => 0x55,
                        0xAB => 0,
                        0xC0 => 0x80,
                        0xD0 => 3,
                        _ => null,
                    };
                    (output, full, late) = answer is int a ? (a, true, false) : (output, full, late);
                    ram[0] = value switch { 0xAD => ram[0] | 16, 0xAE => ram[0] & ~16, _ => ram[0] };
                    resets += value >= 0xF0 && value % 2 == 0 ? 1 : 0;
                    break;
                case < 5:
                    walk.Note($"data {value:x2}");
                    bus.Write(0x60, (uint)value, 1);
                    command = false;
                    if (waiting is >= 0x60 and < 0x80)
                    {
                        ram[waiting % 32] = value;
                        system = (ram[0] & 4) != 0;
                    }
                    else if (waiting == 0xD1)
                    {
                        resets += value % 2 == 0 ? 1 : 0;
                    }
                    else
                    {
                        late = waiting is not (0xD2 or 0xD3);
                        (output, full) = (late ? 0xFE : value, true);
                    }

                    waiting = 0;
                    break;
                case 5:
                    walk.Note("read");
                    walk.Same(output, (int)bus.Read(0x60, 1), "data");
                    (full, late) = (false, false);
                    break;
                default:
                    break;
            }

            int status = (full ? 1 : 0) + (system ? 4 : 0) + (command ? 8 : 0) + 16 + (late ? 64 : 0);
            walk.Same(status, (int)bus.Read(0x64, 1), "status");
            walk.Same(full && ram[0] % 2 == 1, irq.Level, "interrupt");
            walk.Same(resets, power.Calls.Count, "resets");
        }
    }
}
