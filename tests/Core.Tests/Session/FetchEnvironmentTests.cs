using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Cpu;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Tests.Recording;
using Xunit;

namespace KprobeTrace.Tests.Session;

/// <summary>The guest as fetch arguments read it: user memory through the page tables in force, names, numbers.</summary>
public sealed unsafe class FetchEnvironmentTests : IDisposable
{
    private const ulong Tables = 0x200_0000;
    private const ulong Frames = 0x300_0000;
    private const ulong Low = 0x40_0000;
    private const ulong Top = 0x7FFF_FFFF_F000;
    private const ulong Kernel = 0xFFFF_8000_0000_0000;

    private readonly Recorder _recorder;
    private readonly FetchEnvironment _environment;
    private ulong _nextTable = Tables + 0x1000;

    public FetchEnvironmentTests()
    {
        FlatGuest guest = new();
        guest.Mark("here").Code.nop();
        guest.Mark("there").Code.nop();
        guest.Mark("end");
        guest.Exit();
        _recorder = RecordedGuest.Open(guest, new RecordingOptions { Image = "", Probes = ["p end"], ProcessorCount = 2 });
        _environment = _recorder.Session.Environment;

        // Pages that follow each other lie apart in memory; the last page of user space and one of the kernel's half are there, too.
        Map(Low, Frames);
        Map(Low + 0x1000, Frames + 0x5000);
        Map(Low + 0x2000, Frames + 0x2000);
        Map(Low + 0x4000, RecordedGuest.Memory);
        Map(Top, Frames + 0x8000);
        Map(Kernel, Frames + 0x9000);
        Map(0, Frames + 0x9000);
        for (ulong at = Frames; at < Frames + 0xA000; at += 2)
        {
            Put(at, BitConverter.GetBytes((ushort)((at - Frames) >> 1)));
        }

        _recorder.Session.Machine.Processors.Bootstrap.State->Cr3 = Tables;
    }

    public void Dispose() => _recorder.Dispose();

    [Theory]
    [InlineData(0x0, 2, 0x0000)]
    [InlineData(0x10, 64, 0x0010)]
    [InlineData(0xFFE, 2, 0x0FFE)]
    [InlineData(0xFFC, 8, 0x0FFC)]
    [InlineData(0x800, 0x1000, 0x0800)]
    [InlineData(0x0, 0x3000, 0x0000)]
    [InlineData(0xFFE, 0x1004, 0x0FFE)]
    public void User_memory_is_read_page_by_page(ulong offset, int length, int first)
    {
        byte[] expected = [.. Enumerable.Range(first / 2, length / 2).SelectMany(i => BitConverter.GetBytes((ushort)((FrameOf(2 * i) - Frames) >> 1)))];
        byte[] got = new byte[length];

        Assert.True(_environment.TryReadUser(Low + offset, got));
        Assert.Equal(expected, got);
    }

    [Theory]
    [InlineData(Low + 0x2FFE, 4)]
    [InlineData(Low + 0x3000, 1)]
    [InlineData(Low + 0x3FFF, 2)]
    [InlineData(Low - 1, 1)]
    [InlineData(Low + 0x4000, 1)]
    [InlineData(Top + 0xFFF, 2)]
    [InlineData(Top, 0x1001)]
    [InlineData(Top + 0x1000, 1)]
    [InlineData(Kernel, 1)]
    [InlineData(Kernel, 0)]
    [InlineData(0xFFF, 2)]
    [InlineData(ulong.MaxValue, 2)]
    public void What_is_not_there_or_not_the_users_cannot_be_read(ulong address, int length) =>
        Assert.False(_environment.TryReadUser(address, new byte[length]));

    [Theory]
    [InlineData(Top, 0x1000)]
    [InlineData(Top + 0xFFF, 1)]
    [InlineData(Low + 0x2FFF, 1)]
    [InlineData(Low, 0)]
    [InlineData(0, 1)]
    [InlineData(0xFFF, 1)]
    public void Last_byte_of_what_is_there_can_be_read(ulong address, int length) =>
        Assert.True(_environment.TryReadUser(address, new byte[length]));

    /// <remarks>The second one's tables are empty.</remarks>
    [Fact]
    public void Memory_is_that_of_the_processor_whose_turn_it_is()
    {
        KprobeTrace.Machine.GuestMachine machine = _recorder.Session.Machine;
        byte[] state = new byte[Processor.StateBytes];
        machine.Processors.Bootstrap.SaveState(state);
        machine.Processors[1].LoadState(state);
        machine.Processors[1].State->Cr3 = RecordedGuest.Memory - 0x1000;
        machine.Processors[1].Run(0);

        Assert.Equal((1, 1), (_environment.CpuIndex, _recorder.Session.Cpu));
        Assert.False(_environment.TryReadUser(Low, new byte[1]));
        Assert.False(_environment.TryReadKernel(Kernel, new byte[1]));
        machine.Processors.Bootstrap.Run(0);
        Assert.Equal((0, 0), (_environment.CpuIndex, _recorder.Session.Cpu));
        Assert.True(_environment.TryReadUser(Low, new byte[1]) && _environment.TryReadKernel(Kernel, new byte[1]));
    }

    [Fact]
    public void Kernel_memory_is_read_as_such()
    {
        byte[] bytes = new byte[2];

        Assert.True(_environment.TryReadKernel(Kernel + 0x10, bytes));
        Assert.Equal((0x9010 >> 1), BinaryPrimitives.ReadUInt16LittleEndian(bytes));
        Assert.False(_environment.TryReadKernel(Kernel + 0x1000, bytes));
    }

    [Theory]
    [InlineData(64, "there+0x0/0x1")]
    [InlineData(13, "there+0x0/0x1")]
    [InlineData(12, "there+0x0/0x")]
    [InlineData(1, "t")]
    [InlineData(0, "")]
    public void Symbol_is_cut_where_there_is_no_more_room(int room, string text)
    {
        byte[] bytes = new byte[room];

        int length = _environment.FormatSymbol(FlatGuest.Load + 1, bytes);

        Assert.Equal(text, Encoding.UTF8.GetString(bytes, 0, length));
    }

    [Theory]
    [InlineData(64, 15)]
    [InlineData(15, 15)]
    [InlineData(14, 14)]
    [InlineData(3, 3)]
    public void Symbol_is_cut_by_bytes_also_where_a_character_has_several(int room, int length)
    {
        FlatGuest guest = new();
        guest.Code.nop();
        guest.Mark("end").Exit();
        using Recorder recorder = RecordedGuest.Open(guest, new RecordingOptions { Image = "", Probes = ["p end"] }, "0000000000100000 T größe");
        byte[] bytes = new byte[room];

        Assert.Equal(length, recorder.Session.Environment.FormatSymbol(FlatGuest.Load, bytes));
        Assert.Equal("größe+0x0/0x1"u8[..length], bytes.AsSpan(0, length));
    }

    [Fact]
    public void Guest_that_is_no_Linux_has_no_task_and_begins_with_the_first_processor()
    {
        Assert.Equal((0, 0, 0ul), (_environment.CpuIndex, _environment.CurrentPid, _environment.RetiredInstructions));
        Assert.Equal(0, _environment.ReadComm(new byte[16]));
        PtRegs registers = default;
        Assert.Equal(0, _environment.WalkStack(&registers, FlatGuest.Load, new ulong[8]));
        _recorder.Session.Machine.Processors.Bootstrap.State->Cr3 = KprobeTrace.Loaders.BootLayout.PageTables;
        _recorder.Session.Machine.Run(2);
        Assert.Equal(2ul, _environment.RetiredInstructions);
    }

    /// <summary>Where a byte of the three pages at <see cref="Low"/> is.</summary>
    private static ulong FrameOf(int offset) => (offset >> 12) switch { 0 => Frames, 1 => Frames + 0x5000, _ => Frames + 0x2000 } + ((ulong)offset & 0xFFF);

    private void Map(ulong address, ulong frame)
    {
        ulong table = Tables;
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ulong at = table + ((address >> shift & 0x1FF) * 8);
            if (Word(at) == 0)
            {
                Put(at, BitConverter.GetBytes(_nextTable | 7));
                _nextTable += 0x1000;
            }

            table = Word(at) & ~0xFFFul;
        }

        Put(table + ((address >> 12 & 0x1FF) * 8), BitConverter.GetBytes(frame | 7));
    }

    private ulong Word(ulong at)
    {
        byte[] bytes = new byte[8];
        Assert.True(_recorder.Session.Machine.Memory.TryRead(at, bytes));
        return BitConverter.ToUInt64(bytes);
    }

    private void Put(ulong at, byte[] bytes) => Assert.True(_recorder.Session.Machine.Memory.TryWrite(at, bytes));
}
