using KprobeTrace.Devices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Saving;
using Xunit;

namespace KprobeTrace.Tests.Devices.Models;

public sealed class UartModelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Every_read_and_the_line_are_those_of_the_model(int seed)
    {
        RandomWalk walk = new(seed);
        PortBus bus = new();
        List<byte> sent = [];
        (InterruptLine line, LevelRecorder irq) = LevelRecorder.Create();
        Uart16550 uart = new(Uart16550.Com1, line, sent.Add);
        uart.Register(bus);
        UartModel model = new();
        for (int i = 0; i < 20_000; i++)
        {
            if (i % CarriedOver.Steps == 0)
            {
                walk.Note("carried over");
                uart = uart.Into(new Uart16550(Uart16550.Com1, line, sent.Add));
                uart.Register(bus = new PortBus());
            }

            int register = walk.Below(8);
            ushort port = (ushort)(Uart16550.Com1 + register);
            switch (walk.Below(40))
            {
                case 0:
                    walk.Note("reset");
                    uart.Reset();
                    model.Reset();
                    break;
                case < 6 when model.Waiting < 100:
                    byte[] data = [.. Enumerable.Range(0, walk.Below(20)).Select(_ => (byte)walk.Below(256))];
                    walk.Note($"receive {data.Length}");
                    walk.Same(data.Length, uart.Receive(data), "taken");
                    model.Receive(data);
                    break;
                case < 20:
                    byte value = walk.Byte();
                    if (register == 3)
                    {
                        value &= (byte)(walk.Below(4) == 0 ? 0xFF : 0x7F);
                    }

                    walk.Note($"write {register} {value:x2}");
                    bus.Write(port, value, 1);
                    model.Write(register, value);
                    break;
                default:
                    walk.Note($"read {register}");
                    walk.Same(model.Read(register), (int)bus.Read(port, 1), $"register {register}");
                    break;
            }

            walk.Same(model.Line, irq.Level, "line");
        }

        Assert.Equal(model.Sent, sent);
        Assert.NotEmpty(sent);
    }
}
