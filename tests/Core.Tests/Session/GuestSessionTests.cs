using System.Text;
using KprobeTrace.Kprobes;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Probes;
using KprobeTrace.Session;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Guests;
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
