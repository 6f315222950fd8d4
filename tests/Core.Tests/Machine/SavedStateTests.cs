using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using KprobeTrace.Cpu;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Tests.Guests;
using KprobeTrace.Tests.Recording;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Machine;

/// <summary>A machine goes on from what another saved as if it had never stopped, and from nothing else.</summary>
public sealed class SavedStateTests
{
    private const int SmallMemory = 8 << 20;

    private static readonly Lazy<byte[]> _small = new(static () => SmallGuest().Assemble());

    /// <remarks>The guest waits in HLT, takes interrupts of two timers, is in the middle of a repeated instruction and reads what the host sent.</remarks>
    [Fact]
    public void Guest_goes_on_in_another_machine_from_wherever_it_was()
    {
        using GuestMachine never = Small(out List<byte> whole);
        (string end, long retired) = RunToEnd(never, whole);
        using GuestMachine first = Small(out List<byte> sent);
        using GuestMachine second = Small(out List<byte> console);
        int halted = 0;
        Random random = new(1);
        for (long at = 0; at <= retired; at += random.Next(1, 8))
        {
            first.Run(at);
            halted += IsHalted(first) ? 1 : 0;
            second.Load(Saved(first));
            console.Clear();
            console.AddRange(sent);

            Assert.Equal((at, end), (at, RunToEnd(second, console).End));
        }

        Assert.Equal(end, RunToEnd(first, sent).End);
        Assert.InRange(halted, 1, 100);
        Assert.StartsWith("Exited 5 ", end, StringComparison.Ordinal);
    }

    /// <remarks>Saving takes nothing from the run that is saved: it is saved again and again, and ends as the one that never was.</remarks>
    [Fact]
    public void Demo_kernel_goes_on_in_another_machine_from_wherever_it_was()
    {
        using GuestMachine never = Demo(out List<byte> whole);
        (string end, long retired) = RunToEnd(never, whole);
        Random random = new(1);
        using GuestMachine first = Demo(out List<byte> sent);
        foreach (long at in (long[])[0, .. Enumerable.Range(0, 2).Select(_ => random.NextInt64(retired)).Order()])
        {
            first.Run(at);
            using GuestMachine second = Demo(out List<byte> console);
            console.AddRange(sent);
            second.Load(Saved(first));

            Assert.Equal((at, end), (at, RunToEnd(second, console).End));
        }

        Assert.Equal(end, RunToEnd(first, sent).End);
    }

    [Fact]
    public void What_a_machine_is_saved_as_follows_from_the_guest_alone()
    {
        using GuestMachine first = Small(out _);
        using GuestMachine second = Small(out _);
        first.Run(100);
        second.Run(50);
        second.Run(100);

        Assert.Equal(Saved(first).ToArray(), Saved(second).ToArray());
        Assert.Equal(Saved(first).ToArray(), Saved(first).ToArray());
    }

    [Theory]
    [InlineData("")]
    [InlineData("#!/bin/sh\necho no state\n")]
    [InlineData("KPTSTATE")]
    public void What_is_no_state_at_all_leaves_the_machine_as_it_is(string text)
    {
        using GuestMachine machine = Small(out _);
        machine.Run(100);

        Assert.Throws<KprobeTraceException>(() => machine.Load(new MemoryStream(System.Text.Encoding.ASCII.GetBytes(text))));

        Assert.Equal((PowerState.Exited, 5u), (machine.Run(), machine.ExitValue));
    }

    [Fact]
    public void Time_of_more_than_a_hundred_years_cannot_be_saved()
    {
        using GuestMachine machine = Small(out _);
        unsafe
        {
            machine.Processors.Bootstrap.State->IdleTime = Processor.MaxSavedTime;
            Assert.NotEqual(0, Saved(machine).Length);
            machine.Processors.Bootstrap.State->IdleTime++;
        }

        Assert.Contains("more than a hundred years ahead", Assert.Throws<KprobeTraceException>(() => Saved(machine)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Machine_that_ended_is_loaded_as_one_that_ended()
    {
        using GuestMachine first = Small(out _);
        first.Run();
        using GuestMachine second = Small(out _);

        second.Load(Saved(first));

        Assert.Equal((PowerState.Exited, 5u, first.Retired, first.Now), (second.Run(), second.ExitValue, second.Retired, second.Now));
    }

    /// <remarks>Memory that is zero takes no room, wherever it lies; what the new machine has there goes.</remarks>
    [Fact]
    public void Memory_is_as_it_was_and_zeros_take_no_room()
    {
        using GuestMachine first = Small(out _);
        byte[] page = [.. Enumerable.Repeat((byte)7, 4096)];
        _ = first.Memory.TryWrite(SmallMemory - 4096, page) && first.Memory.TryWrite(0x50_0FFF, [1]);
        using GuestMachine second = Small(out _);
        _ = second.Memory.TryWrite(0x60_0800, page);
        MemoryStream state = Saved(first);

        second.Load(state);

        Assert.True(first.Memory.Pages(0, SmallMemory / 4096).SequenceEqual(second.Memory.Pages(0, SmallMemory / 4096)));
        Assert.InRange(state.Length, 2_000, 20_000);
    }

    [Fact]
    public void Code_that_was_decoded_before_is_not_run_and_watchers_of_pages_look_again()
    {
        using GuestMachine first = Small(out _);
        using GuestMachine second = Build(Endless());
        second.Run(1_000);
        List<(ulong, int)> told = [];
        second.Processors.WatchCode(FlatGuest.Load, true);
        second.Processors.CodeWritten = (at, length) => told.Add((at, length));

        second.Load(Saved(first));

        Assert.Equal([(FlatGuest.Load, 4096)], told);
        Assert.Equal(PowerState.Exited, second.Run(100_000));
    }

    [Fact]
    public void Nothing_behind_a_state_is_read()
    {
        using GuestMachine machine = Small(out _);
        MemoryStream state = Saved(machine);
        long length = state.Length;
        state.Position = length;
        state.Write("what comes next"u8);
        state.Position = 0;

        machine.Load(state);

        Assert.Equal(length, state.Position);
    }

    [Fact]
    public void State_of_a_machine_with_other_memory_of_another_version_or_no_state_at_all_is_refused()
    {
        using GuestMachine machine = Small(out _);
        using GuestMachine larger = Build(_small.Value, 2 * SmallMemory);
        byte[] state = Saved(machine).ToArray();

        Assert.Equal(
            "the saved state is that of a machine with 0x800000 bytes of memory, and this one has 0x1000000: give the same with --memory",
            Refusal(larger, state));
        Assert.Equal("the saved state is that of a machine with 2 processors, and this one has 1", Refusal(machine, With(state, 20, 2)));
        Assert.Equal(
            "the saved state has format version 5, and this version of KprobeTrace reads 4 only: save it anew",
            Refusal(machine, With(state, 8, 5)));
        Assert.Equal("this is no saved state of a machine: it begins with other bytes", Refusal(machine, "#!/bin/sh\n"u8.ToArray()));
        Assert.Equal("the saved state ends in the middle: it is cut off, or no saved state", Refusal(machine, []));
    }

    /// <remarks>A sample of its bytes, a bit changed in each.</remarks>
    [Fact]
    public void State_with_a_changed_byte_is_refused_wherever_it_is()
    {
        using GuestMachine machine = Small(out _);
        machine.Run(100);
        byte[] state = Saved(machine).ToArray();
        using GuestMachine other = Small(out _);
        Random random = new(1);
        for (int at = 0; at < state.Length; at += random.Next(1, 60))
        {
            byte[] changed = With(state, at, (byte)(state[at] ^ (1 << random.Next(8))));

            Assert.NotEqual("", Refusal(other, changed));
        }

        other.Load(new MemoryStream(state));
        Assert.Equal(PowerState.Exited, other.Run());
    }

    [Fact]
    public void State_that_is_cut_off_is_refused_wherever_it_ends()
    {
        using GuestMachine machine = Small(out _);
        byte[] state = Saved(machine).ToArray();
        Random random = new(2);
        for (int length = 0; length < state.Length; length += random.Next(1, 20))
        {
            Assert.Equal("the saved state ends in the middle: it is cut off, or no saved state", Refusal(machine, state[..length]));
        }
    }

    /// <remarks>With a checksum that is right again, so that every look at the values behind it has its turn.</remarks>
    [Fact]
    public void State_that_somebody_has_made_up_is_refused_or_runs()
    {
        using GuestMachine machine = Small(out _);
        machine.Run(100);
        byte[] state = Saved(machine).ToArray();
        using GuestMachine other = Small(out _);
        Random random = new(3);
        int ran = 0;
        for (int i = 0; i < 100; i++)
        {
            byte[] changed = [.. state];
            for (int n = random.Next(1, 4); n > 0; n--)
            {
                changed[random.Next(20, state.Length - 24)] = (byte)random.Next(256);
            }

            MakeChecksumRight(changed);
            try
            {
                other.Load(new MemoryStream(changed));
                _ = other.Run(other.Retired + 2_000);
                ran++;
            }
            catch (KprobeTraceException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }

        Assert.InRange(ran, 10, 99);
    }

    [Theory]
    [InlineData(0x500, 3, 0x7FE, 3, "3 pages of memory from page 2046 are out of order or not there")]
    [InlineData(0x500, 3, 0x800, 3, "3 pages of memory from page 2048 are out of order or not there")]
    [InlineData(0x500, 3, 0x7FFF_FFFF, 3, "3 pages of memory from page 2147483647 are out of order or not there")]
    [InlineData(0x500, 3, -1, 3, "3 pages of memory from page -1 are out of order or not there")]
    [InlineData(0x500, 3, 0, 3, "3 pages of memory from page 0 are out of order or not there")]
    [InlineData(0x500, 3, 0x500, 0, "0 pages of memory from page 1280 are out of order or not there")]
    [InlineData(0x500, 3, 0x500, -1, "-1 pages of memory from page 1280 are out of order or not there")]
    [InlineData(0x500, 3, 0x500, 65, "65 pages of memory from page 1280 are out of order or not there")]
    [InlineData(0x500, 3, 0x500, 4, "a record of memory unpacks to fewer bytes than it says")]
    [InlineData(0x500, 3, 0x500, 2, "a record of memory does not unpack")]
    public void Record_of_memory_that_says_something_else_than_it_has_is_refused(int first, int count, int saidFirst, int saidCount, string how)
    {
        using GuestMachine machine = Small(out _);
        _ = machine.Memory.TryWrite((ulong)first * 4096, [.. Enumerable.Repeat((byte)7, count * 4096)]);
        byte[] state = Saved(machine).ToArray();
        byte[] pages = new byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(pages, first);
        BinaryPrimitives.WriteInt32LittleEndian(pages.AsSpan(4), count);
        int at = state.AsSpan().IndexOf(pages);
        BinaryPrimitives.WriteInt32LittleEndian(state.AsSpan(at), saidFirst);
        BinaryPrimitives.WriteInt32LittleEndian(state.AsSpan(at + 4), saidCount);

        Assert.Equal($"the saved state is damaged: {how}", Refusal(machine, state));
    }

    [Theory]
    [InlineData(int.MaxValue, "2147483647 bytes of \"processor\" stand where the state of \"processor\" is expected")]
    [InlineData(-1, "it has a record without a name or with a negative length")]
    public void Length_that_no_part_has_is_refused_before_room_for_it_is_made(int length, string how)
    {
        using GuestMachine machine = Small(out _);
        byte[] state = Saved(machine).ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(state.AsSpan(StateFormat.HeaderSize + StateFormat.NameSize), length);

        Assert.Equal($"the saved state is damaged: {how}", Refusal(machine, state));
    }

    /// <remarks>The checksum is right, as after a change of the processor in another version.</remarks>
    [Theory]
    [InlineData("processor", "the saved state's processor has 100 bytes instead of ")]
    [InlineData("apic", "the saved state of apic has 100 bytes, too few: it is damaged, or another version of KprobeTrace wrote it")]
    public void State_of_another_length_than_the_machine_s_is_refused(string part, string message)
    {
        using GuestMachine machine = Small(out _);
        byte[] state = Saved(machine).ToArray();
        int at = state.AsSpan().IndexOf((byte[])[0, .. Encoding.ASCII.GetBytes(part), 0]) + 1 + StateFormat.NameSize;
        at = part == "processor" ? StateFormat.HeaderSize + StateFormat.NameSize : at;
        int length = BinaryPrimitives.ReadInt32LittleEndian(state.AsSpan(at));
        byte[] shorter = [.. state[..at], 100, 0, 0, 0, .. state[(at + 4)..(at + 104)], .. state[(at + 4 + length)..]];
        MakeChecksumRight(shorter);

        Assert.StartsWith(message, Refusal(machine, shorter), StringComparison.Ordinal);
    }

    [Fact]
    public void Machine_that_holds_half_of_a_state_neither_runs_nor_is_saved_until_it_has_a_whole_one()
    {
        using GuestMachine machine = Small(out _);
        byte[] state = Saved(machine).ToArray();
        _ = Refusal(machine, state[..^1]);

        Assert.Equal("a state could not be loaded into this machine: load another, or build another machine", Assert.Throws<InvalidOperationException>(() => machine.Run()).Message);
        Assert.Throws<InvalidOperationException>(() => machine.Save(new MemoryStream()));

        machine.Load(new MemoryStream(state));
        Assert.Equal(PowerState.Exited, machine.Run());
    }

    [Fact]
    public void Running_machine_is_neither_saved_nor_loaded()
    {
        List<string> refused = [];
        GuestMachine? machine = null;
        machine = Build(_small.Value, console: _ =>
        {
            refused.Add(Assert.Throws<InvalidOperationException>(() => machine!.Save(new MemoryStream())).Message);
            refused.Add(Assert.Throws<InvalidOperationException>(() => machine!.Load(new MemoryStream())).Message);
        });
        using (machine)
        {
            Assert.Equal(PowerState.Exited, machine.Run());
        }

        Assert.NotEmpty(refused);
        Assert.All(refused, static message => Assert.Contains("while the guest runs", message, StringComparison.Ordinal));
    }

    /// <summary>Prints a byte at each interrupt of a timer, waits in HLT or turns in a loop meanwhile, copies memory, and ends with the fifth.</summary>
    private static FlatGuest SmallGuest()
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, 0x70_0000);
        guest.Handle(0x20, "tick").Handle(0x30, "tock");
        foreach ((byte port, byte value) in (ReadOnlySpan<(byte, byte)>)[(0x20, 0x11), (0x21, 0x20), (0x21, 4), (0x21, 1), (0x21, 0xFE), (0x43, 0x34), (0x40, 3), (0x40, 0), (0x70, 0x0B), (0x71, 0x06)])
        {
            guest.Code.mov(al, value);
            guest.Code.@out(port, al);
        }

        // The page of the APIC moves to where it is mapped.
        guest.Code.mov(ecx, 0x1B);
        guest.Code.xor(edx, edx);
        guest.Code.mov(eax, 0x3000_0900);
        guest.Code.wrmsr();
        guest.Code.mov(rbx, 0x3000_0000);
        guest.Code.mov(__dword_ptr[rbx + 0x3E0], 0xB);
        guest.Code.mov(__dword_ptr[rbx + 0x320], 0x2_0030);
        guest.Code.mov(__dword_ptr[rbx + 0x380], 150);
        guest.Code.xor(ebp, ebp);
        guest.Code.fld1();
        guest.Code.sti();
        guest.Mark("wait").Code.hlt();
        guest.Code.fadd(st0, st0);
        guest.Code.mov(rdi, 0x40_0000);
        guest.Code.mov(rsi, FlatGuest.Load);
        guest.Code.mov(ecx, 12);
        guest.Code.rep.movsb();
        guest.Code.mov(edx, 40);
        guest.Mark("turn").Code.dec(edx);
        guest.Code.jnz(guest.At("turn"));
        guest.Code.jmp(guest.At("wait"));
        guest.Mark("tick").Code.push(rax);
        guest.Code.push(rdx);
        guest.Print("."u8);
        guest.Code.mov(al, 0x20);
        guest.Code.@out(0x20, al);
        guest.Code.jmp(guest.At("back"));
        guest.Mark("tock").Code.push(rax);
        guest.Code.push(rdx);
        guest.Code.mov(dx, 0x3F8);
        guest.Code.@in(al, dx);
        guest.Code.@out(dx, al);
        guest.Code.mov(__dword_ptr[rbx + 0xB0], 0);
        guest.Code.inc(ebp);
        guest.Code.cmp(ebp, 5);
        guest.Code.jne(guest.At("back"));
        guest.Code.mov(eax, ebp);
        guest.Code.@out(0xF4, al);
        guest.Mark("back").Code.pop(rdx);
        guest.Code.pop(rax);
        guest.Code.iretq();
        return guest;
    }

    private static byte[] Endless()
    {
        FlatGuest guest = new();
        guest.Mark("loop").Code.jmp(guest.At("loop"));
        return guest.Assemble();
    }

    private static GuestMachine Small(out List<byte> console)
    {
        console = [];
        GuestMachine machine = Build(_small.Value, console: console.Add);
        _ = machine.Serial.Receive("hello from the host"u8);
        return machine;
    }

    private static GuestMachine Demo(out List<byte> console)
    {
        console = [];
        return MachineBuilder.Build(ImageLoader.Load(Repository.PathOf("guests/demo/demo.elf"), new ImageLoadOptions { MemorySize = 16 << 20 }), console.Add);
    }

    private static GuestMachine Build(byte[] code, int memory = SmallMemory, Action<byte>? console = null) => MachineBuilder.Build(
        ImageLoader.Load("flat.bin", code, new ImageLoadOptions { MemorySize = (ulong)memory, LoadAddress = FlatGuest.Load }), console ?? (_ => { }));

    private static (string End, long Retired) RunToEnd(GuestMachine machine, List<byte> console)
    {
        PowerState power = machine.Run(1_000_000_000);
        return ($"{power} {machine.ExitValue} after {machine.Retired} at {machine.Now}: {Encoding.Latin1.GetString([.. console])}", machine.Retired);
    }

    private static unsafe bool IsHalted(GuestMachine machine) => machine.Processors.Bootstrap.State->Halted != 0;

    private static MemoryStream Saved(GuestMachine machine)
    {
        MemoryStream stream = new();
        machine.Save(stream);
        stream.Position = 0;
        return stream;
    }

    private static byte[] With(byte[] state, int at, byte value)
    {
        byte[] changed = [.. state];
        changed[at] = value;
        return changed;
    }

    private static void MakeChecksumRight(byte[] state) =>
        BinaryPrimitives.WriteUInt64LittleEndian(state.AsSpan(state.Length - 8), XxHash3.HashToUInt64(state.AsSpan(0, state.Length - 8 - StateFormat.RecordHeadSize)));

    private static string Refusal(GuestMachine machine, byte[] state)
    {
        KprobeTraceException refused = Assert.Throws<KprobeTraceException>(() => machine.Load(new MemoryStream(state)));
        Assert.DoesNotContain('\n', refused.Message);
        return refused.Message;
    }
}
