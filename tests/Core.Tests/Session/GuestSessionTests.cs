using System.Text;
using KprobeTrace.Kprobes;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Probes;
using KprobeTrace.Session;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Guest;
using KprobeTrace.Tests.Guests;
using KprobeTrace.Tests.Loaders;
using KprobeTrace.Tests.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Session;

/// <summary>What handlers of library users ask of a guest and do to it.</summary>
public sealed class GuestSessionTests
{
    private const ulong Unmapped = 0x7000_0000_0000;

    private static string Demo => Repository.PathOf("guests/demo/demo.elf");

    [Fact]
    public void Bytes_that_a_handler_writes_are_what_the_guest_reads()
    {
        StringBuilder console = new();
        using GuestSession guest = GuestSession.Open(new GuestOptions { Image = Demo }, b => console.Append((char)b));
        bool isWritten = false;
        Register(guest, new Kprobe
        {
            SymbolName = "printk",
            PreHandler = (_, ref registers) =>
            {
                isWritten = isWritten || guest.TryWrite(registers.Di, "other\0"u8);
                return 0;
            },
        });

        guest.Run();

        Assert.True(isWritten);
        Assert.StartsWith("other", console.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Code_that_a_handler_writes_is_what_runs_next()
    {
        StringBuilder console = new();
        using GuestSession guest = GuestSession.Open(new GuestOptions { Image = Demo }, b => console.Append((char)b));
        Assert.True(guest.Symbols.TryFind("console_write", out Symbol write));
        Register(guest, new Kprobe
        {
            SymbolName = "do_execve",
            PreHandler = (_, ref _) => guest.TryWrite(write.Address, [0xC3]) ? 0 : throw new InvalidOperationException("not written"),
        });
        using GuestSession plain = GuestSession.Open(new GuestOptions { Image = Demo }, _ => { });
        long shown = 0;
        Register(plain, new Kprobe { SymbolName = "do_execve", PreHandler = (_, ref _) => Stop(plain, out shown) });
        plain.Run();

        guest.Run();

        Assert.NotEqual(0, shown);
        Assert.True(guest.TryRead(write.Address, new byte[1]));
        Assert.Equal(0xC3, Byte(guest, write.Address));
        Assert.NotEqual(plain.Retired, guest.Retired);
    }

    [Fact]
    public void A_write_is_whole_or_leaves_everything_as_it_was()
    {
        using GuestSession guest = GuestSession.Open(new GuestOptions { Image = Demo }, _ => { });
        byte[]? read = null;
        bool[] written = [];
        Register(guest, new Kprobe
        {
            SymbolName = "do_execve",
            PreHandler = (_, ref registers) =>
            {
                ulong end = registers.Sp;
                while (guest.TryRead(end, new byte[1]))
                {
                    end += 0x1000 - (end % 0x1000);
                }

                written = [guest.TryWrite(end - 2, [1, 2, 3]), guest.TryWrite(end, []), guest.TryWrite(Unmapped, [1])];
                read = [Byte(guest, end - 2), Byte(guest, end - 1)];
                guest.Stop();
                return 0;
            },
        });

        Assert.Equal(PowerState.Stopped, guest.Run());
        Assert.Equal([false, true, false], written);
        Assert.NotEqual([1, 2], read);
    }

    [Fact]
    public void A_session_knows_processor_and_time_and_stops_where_it_is_told()
    {
        using GuestSession guest = GuestSession.Open(new GuestOptions { Image = Demo }, _ => { });
        (long now, long retired, int cpu, int pid, int depth) seen = default;
        Register(guest, new Kprobe
        {
            SymbolName = "do_execve",
            PreHandler = (probe, ref registers) =>
            {
                seen = (guest.Now, guest.Retired, guest.Cpu, guest.Task.Pid, guest.WalkStack(ref registers, probe.Addr, new ulong[8]));
                guest.Stop();
                return 0;
            },
        });

        Assert.Equal(PowerState.Stopped, guest.Run());
        Assert.True(seen.now >= seen.retired && seen.retired > 0);
        Assert.InRange(guest.Retired - seen.retired, 0, 1);
        Assert.Equal((0, 0, 0), (seen.cpu, seen.pid, seen.depth));
        Assert.Equal(PowerState.Stopped, guest.Run(guest.Retired + 5));
    }

    [Theory]
    [InlineData("di", "%di:x64")]
    [InlineData("sum", "sum=%si:u32")]
    [InlineData("text", "+0(%di):string")]
    public void An_argument_is_read_where_it_is_asked_for(string what, string argument)
    {
        using GuestSession guest = GuestSession.Open(new GuestOptions { Image = Demo }, _ => { });
        GuestArgument reader = guest.Argument(argument);
        List<(string? Read, string Expected, bool IsNumber)> seen = [];
        Register(guest, new Kprobe
        {
            SymbolName = "printk",
            PreHandler = (_, ref registers) =>
            {
                string expected = what switch
                {
                    "di" => $"0x{registers.Di:x}",
                    "sum" => $"{(uint)registers.Si}",
                    _ => Text(guest, registers.Di),
                };
                bool isNumber = reader.TryRead(ref registers, out long value);
                Assert.Equal(isNumber ? (what == "di" ? (long)registers.Di : (uint)registers.Si) : 0, value);
                seen.Add((reader.ReadText(ref registers), expected, isNumber));
                return 0;
            },
        });

        guest.Run();

        Assert.NotEmpty(seen);
        Assert.All(seen, s => Assert.Equal((s.Expected, what != "text"), (s.Read, s.IsNumber)));
    }

    [Fact]
    public void What_cannot_be_read_has_no_value()
    {
        using GuestSession guest = GuestSession.Open(new GuestOptions { Image = Demo }, _ => { });
        GuestArgument number = guest.Argument("+0(+0(%di)):u64");
        GuestArgument text = guest.Argument("+0(+0(%di)):string");
        List<(bool, long, string?, string?)> seen = [];
        Register(guest, new Kprobe
        {
            SymbolName = "printk",
            PreHandler = (_, ref registers) =>
            {
                seen.Add((number.TryRead(ref registers, out long value), value, number.ReadText(ref registers), text.ReadText(ref registers)));
                return 0;
            },
        });

        guest.Run();

        Assert.NotEmpty(seen);
        Assert.All(seen, static s => Assert.Equal((false, 0L, null, null), s));
    }

    [Theory]
    [InlineData("%nothing")]
    [InlineData("a=%di b=")]
    public void A_wrong_argument_is_refused_with_its_place(string argument)
    {
        using GuestSession guest = GuestSession.Open(new GuestOptions { Image = Demo }, _ => { });

        Assert.Contains("^", Assert.Throws<ProbeSyntaxException>(() => guest.Argument(argument)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("%di %si")]
    public void One_argument_is_asked_for(string argument)
    {
        using GuestSession guest = GuestSession.Open(new GuestOptions { Image = Demo }, _ => { });

        Assert.Throws<ArgumentException>(() => guest.Argument(argument));
    }

    /// <remarks>The structure lies in the image's last bytes, so that a byte too many cannot be read.</remarks>
    [Theory]
    [InlineData("signed", -2L)]
    [InlineData("unsigned", 0xFEL)]
    [InlineData("state", 0x1234_5678L)]
    [InlineData("wide", 0x1122_3344_5566_7788L)]
    [InlineData("pointer", 0x0102_0304_0506_0708L)]
    [InlineData("one", 1L)]
    [InlineData("two", 2L)]
    [InlineData("nine", 0x1A5L)]
    [InlineData("below", -3L)]
    [InlineData("last", 1L)]
    [InlineData("array", null)]
    [InlineData("inner", null)]
    [InlineData("beyond", null)]
    [InlineData("nosuch", null)]
    public void A_member_is_read_by_its_type_and_its_bits(string member, long? expected)
    {
        const int size = 40;
        BtfBuilder types = new();
        int integer = types.Int("int", 4, encoding: 1);
        int character = types.Int("char", 1, encoding: 1);
        int plain = types.Int("unsigned char", 1);
        int word = types.Int("unsigned long", 8);
        int inner = types.Struct("inner", 4, ("a", integer, 0, 0));
        types.Struct(
            "thing", size, ("signed", character, 0, 0), ("unsigned", plain, 8, 0), ("state", types.Enum("state", signed: false, ("A", 0)), 32, 0),
            ("wide", types.Enum64("wide", signed: false, ("B", 0)), 64, 0), ("pointer", types.Pointer(0), 128, 0),
            ("one", word, 192, 1), ("two", word, 193, 2), ("nine", word, 199, 9), ("below", integer, 208, 3),
            ("array", types.Array(integer, integer, 2), 224, 0), ("inner", inner, 256, 0), ("last", plain, (size * 8) - 1, 1), ("beyond", word, (size * 8) - 8, 0));
        byte[] thing = new byte[size];
        thing[0] = thing[1] = 0xFE;
        BitConverter.TryWriteBytes(thing.AsSpan(4), 0x1234_5678);
        BitConverter.TryWriteBytes(thing.AsSpan(8), 0x1122_3344_5566_7788);
        BitConverter.TryWriteBytes(thing.AsSpan(16), 0x0102_0304_0506_0708);
        BitConverter.TryWriteBytes(thing.AsSpan(24), 1u | (2u << 1) | (0x1A5u << 7) | (5u << 16));
        thing[^1] = 0x80;
        byte[] btf = types.Build();
        byte[] image = new byte[GuestImage.Size];
        "Linux version 6.1.0 x"u8.CopyTo(image.AsSpan(0x100));
        btf.CopyTo(image, 0x1000);
        thing.CopyTo(image, GuestImage.Size - size);
        ElfBuilder elf = new ElfBuilder { Entry = GuestImage.Physical }.Segment(GuestImage.Text, GuestImage.Physical, image).Section(".BTF", 1, btf, 0, 0);
        using GuestSession guest = GuestSession.Open(
            new GuestOptions { Image = "vmlinux", ImageBytes = elf.Build(), Load = new ImageLoadOptions { MemorySize = 64 << 20 } }, _ => { });

        bool isRead = guest.TryReadMember("thing", member, GuestImage.Text + (ulong)(GuestImage.Size - size), out long value);

        Assert.Equal((expected is not null, expected ?? 0), (isRead, value));
    }

    [StockGuestFact]
    public void What_can_be_read_of_a_kernel_can_be_written_before_its_first_instruction()
    {
        using GuestSession guest = GuestSession.Open(
            new GuestOptions { Image = StockGuest.CloudKernel, Load = new ImageLoadOptions { MemorySize = 512 << 20 } }, _ => { });
        ulong banner = guest.Symbols.AddressOf("linux_banner")!.Value;
        byte[] before = new byte[13];
        Assert.True(guest.TryRead(banner, before));
        Assert.Equal("Linux version"u8, before);

        Assert.True(guest.TryWrite(banner, "Penguin of no"u8));

        byte[] after = new byte[13];
        Assert.True(guest.TryRead(banner, after));
        Assert.Equal("Penguin of no"u8, after);
    }

    [StockGuestFact]
    public void A_handler_in_Linux_reads_parameters_members_the_task_and_its_stack()
    {
        using GuestSession guest = GuestSession.Open(
            new GuestOptions
            {
                Image = StockGuest.CloudKernel,
                Load = new ImageLoadOptions { MemorySize = 512 << 20, InitrdPath = StockGuest.Initramfs },
            },
            _ => { });
        GuestArgument file = guest.Argument("file->f_path.dentry->d_name.name:string", "vfs_read");
        List<string> names = [];
        string[] stack = [];
        long[] members = [];
        (int pid, string comm) task = default;
        Register(guest, new Kprobe
        {
            SymbolName = "vfs_read",
            PreHandler = (probe, ref registers) =>
            {
                names.Add(file.ReadText(ref registers) ?? "");
                ulong[] callers = new ulong[16];
                stack = [.. callers.Take(guest.WalkStack(ref registers, probe.Addr, callers)).Select(guest.Symbols.Format)];
                task = (guest.Task.Pid, guest.Task.Comm);
                members = [Member(guest, "pid"), Member(guest, "tgid"), Member(guest, "no_such_member"), Member(guest, "comm")];
                if (names.Count == 20)
                {
                    guest.Stop();
                }

                return 0;
            },
        });

        Assert.Equal(["vfs_read"], guest.Kprobes.Probes().Select(static p => p.SymbolName));

        Assert.Equal(PowerState.Stopped, guest.Run());
        Assert.Contains(names, static n => n.Length > 0);
        Assert.Contains(stack, static s => s.StartsWith("ksys_read", StringComparison.Ordinal) || s.StartsWith("__x64_sys_read", StringComparison.Ordinal) || s.StartsWith("kernel_read", StringComparison.Ordinal));
        Assert.NotEqual("", task.comm);
        Assert.Equal([task.pid, task.pid, -1, -1], members);
    }

    private static long Member(GuestSession guest, string member) =>
        guest.TryReadMember("task_struct", member, guest.Task.Address, out long value) ? value : -1;

    private static int Stop(GuestSession guest, out long retired)
    {
        retired = guest.Retired;
        return 0;
    }

    private static byte Byte(GuestSession guest, ulong address)
    {
        byte[] one = new byte[1];
        return guest.TryRead(address, one) ? one[0] : throw new InvalidOperationException($"0x{address:x} cannot be read");
    }

    private static string Text(GuestSession guest, ulong address)
    {
        StringBuilder text = new();
        for (byte b = Byte(guest, address); b != 0; b = Byte(guest, ++address))
        {
            text.Append((char)b);
        }

        return text.ToString();
    }

    private static void Register(GuestSession guest, Kprobe probe)
    {
        KprobeResult result = guest.Kprobes.RegisterKprobe(probe);
        Assert.True(result.IsSuccess, result.Reason);
    }
}
