using KprobeTrace.Devices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Interrupts;
using Xunit;

namespace KprobeTrace.Tests.Devices;

public sealed class Uart16550Tests
{
    private const int Data = 0;
    private const int Ier = 1;
    private const int Iir = 2;
    private const int Fcr = 2;
    private const int Lcr = 3;
    private const int Mcr = 4;
    private const int Lsr = 5;
    private const int Msr = 6;
    private const int Scratch = 7;
    private const byte Out2 = 0x08;

    private readonly PortBus _bus = new();
    private readonly List<byte> _sent = [];
    private readonly LevelRecorder _irq;
    private readonly Uart16550 _uart;

    public Uart16550Tests()
    {
        (InterruptLine line, _irq) = LevelRecorder.Create();
        _uart = new Uart16550(Uart16550.Com1, line, _sent.Add);
        _uart.Register(_bus);
    }

    [Fact]
    public void Sends_at_once_and_is_always_empty()
    {
        Assert.Equal(0x60, In(Lsr));

        Out(Data, (byte)'A');
        Out(Data, (byte)'B');

        Assert.Equal("AB"u8.ToArray(), _sent);
        Assert.Equal(0x60, In(Lsr));
    }

    [Fact]
    public void The_divisor_hides_data_and_interrupt_enable()
    {
        Out(Lcr, 0x83);
        Out(Data, 0x34);
        Out(Ier, 0x12);
        Assert.Equal(0x34, In(Data));
        Assert.Equal(0x12, In(Ier));

        Out(Lcr, 0x03);
        Assert.Equal(0, In(Ier));
        Assert.Empty(_sent);
    }

    [Fact]
    public void Interrupt_enable_has_four_bits_and_scratch_eight()
    {
        Out(Ier, 0xFF);
        Out(Scratch, 0xA5);

        Assert.Equal(0x0F, In(Ier));
        Assert.Equal(0xA5, In(Scratch));
    }

    [Fact]
    public void Loopback_returns_the_modem_controls_and_the_data()
    {
        Out(Mcr, 0x1A);
        Assert.Equal(0x90, In(Msr) & 0xF0);

        Out(Data, 0x55);
        Assert.Equal(0x61, In(Lsr));
        Assert.Equal(0x55, In(Data));
        Assert.Empty(_sent);
    }

    [Fact]
    public void Fifos_show_in_the_interrupt_identification()
    {
        Assert.Equal(0x01, In(Iir));

        Out(Fcr, 0x01);
        Assert.Equal(0xC1, In(Iir));

        // Not a 16750: its 64-byte bit stays clear, whatever DLAB.
        Out(Lcr, 0x80);
        Out(Fcr, 0x21);
        Assert.Equal(0xC1, In(Iir));
    }

    [Fact]
    public void The_transmitter_interrupt_comes_on_enabling_and_again_on_enabling_anew()
    {
        Out(Mcr, Out2);
        Out(Ier, 0x02);
        Assert.True(_irq.Level);
        Assert.Equal(0x02, In(Iir));
        Assert.False(_irq.Level);
        Assert.Equal(0x01, In(Iir));

        Out(Ier, 0x00);
        Out(Ier, 0x02);

        Assert.Equal(2, _irq.Rises);
        Assert.Equal(0x02, In(Iir));
    }

    [Fact]
    public void The_transmitter_interrupt_comes_after_each_byte()
    {
        Out(Mcr, Out2);
        Out(Ier, 0x02);
        In(Iir);

        Out(Data, (byte)'x');

        Assert.True(_irq.Level);
        Assert.Equal(0x02, In(Iir));
    }

    [Fact]
    public void Interrupts_need_the_out2_bit()
    {
        Out(Ier, 0x02);
        Assert.False(_irq.Level);

        Out(Mcr, Out2);
        Assert.True(_irq.Level);

        Out(Mcr, 0x10 | Out2);
        Assert.False(_irq.Level);
    }

    [Fact]
    public void Received_bytes_wait_for_room()
    {
        Out(Mcr, Out2);
        Out(Ier, 0x01);

        Assert.Equal(3, _uart.Receive("abc"u8));

        Assert.Equal(0x61, In(Lsr));
        Assert.Equal(0x04, In(Iir));
        Assert.True(_irq.Level);
        Assert.Equal("abc", Read(3));
        Assert.Equal(0x60, In(Lsr));
        Assert.False(_irq.Level);
    }

    [Fact]
    public void The_receiver_interrupt_tells_the_trigger_level_from_the_time_out()
    {
        Out(Fcr, 0x41);
        Out(Ier, 0x01);

        _uart.Receive("abcde"u8);
        Assert.Equal(0xC4, In(Iir));
        Read(2);
        Assert.Equal(0xCC, In(Iir));
        Read(3);
        Assert.Equal(0xC1, In(Iir));
    }

    [Fact]
    public void A_full_fifo_takes_the_rest_of_the_input_as_it_drains()
    {
        Out(Fcr, 0x01);
        string text = new('z', 100);

        _uart.Receive(System.Text.Encoding.ASCII.GetBytes(text));

        Assert.Equal(text, Read(100));
        Assert.Equal(0x60, In(Lsr));
    }

    [Fact]
    public void Input_beyond_the_queue_is_refused()
    {
        byte[] much = new byte[Uart16550.InputCapacity + 100];

        int taken = _uart.Receive(much);

        Assert.Equal(Uart16550.InputCapacity, taken);
        Assert.Equal(1, _uart.Receive(much));
    }

    [Fact]
    public void Clearing_the_fifo_takes_the_next_input()
    {
        Out(Fcr, 0x01);
        _uart.Receive(System.Text.Encoding.ASCII.GetBytes(new string('a', 16) + "b"));

        Out(Fcr, 0x03);

        Assert.Equal("b", Read(1));
    }

    [Fact]
    public void Too_much_in_loopback_is_an_overrun()
    {
        Out(Mcr, 0x18);
        Out(Ier, 0x04);
        Out(Data, 1);
        Out(Data, 2);

        Assert.Equal(0x06, In(Iir));
        Assert.Equal(0x63, In(Lsr));
        Assert.Equal(0x61, In(Lsr));
        Assert.Equal(2, In(Data));
    }

    [Fact]
    public void Modem_changes_interrupt_until_the_status_is_read()
    {
        Out(Mcr, 0x10);
        In(Msr);
        Out(Ier, 0x08);
        Assert.Equal(0x01, In(Iir));

        Out(Mcr, 0x12);

        Assert.Equal(0x00, In(Iir));
        Assert.Equal(0x11, In(Msr));
        Assert.Equal(0x01, In(Iir));
        Assert.Equal(0x10, In(Msr));
    }

    [Fact]
    public void The_line_status_outranks_data_and_data_outranks_the_transmitter()
    {
        Out(Mcr, 0x10);
        Out(Ier, 0x0F);
        Out(Data, 1);
        Out(Data, 2);

        Assert.Equal(0x06, In(Iir));
        In(Lsr);
        Assert.Equal(0x04, In(Iir));
        In(Data);
        Assert.Equal(0x02, In(Iir));
        Assert.Equal(0x00, In(Iir));
    }

    [Fact]
    public void Reset_masks_the_interrupts()
    {
        Out(Mcr, Out2);
        Out(Ier, 0x02);

        _uart.Reset();

        Assert.False(_irq.Level);
        Assert.Equal(0, In(Ier));
        Assert.Equal(0x01, In(Iir));
    }

    private string Read(int count)
    {
        char[] text = new char[count];
        for (int i = 0; i < count; i++)
        {
            text[i] = (char)In(Data);
        }

        return new string(text);
    }

    private int In(int register) => (int)_bus.Read((ushort)(Uart16550.Com1 + register), 1);

    private void Out(int register, byte value) => _bus.Write((ushort)(Uart16550.Com1 + register), value, 1);
}
