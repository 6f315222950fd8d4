using KprobeTrace.Recording;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Recording;

/// <summary>What is noted of calls that gave no event, of text that the guest rewrites under probes, and of definitions left out.</summary>
public sealed class CallNoteTests
{
    private const ulong StackTop = 0x70_0000;

    [Fact]
    public void Calls_without_a_return_address_are_missed_those_left_are_abandoned_and_the_last_are_open()
    {
        // Three times entered by a jump, with no code where the stack would say; four calls that are left by setting the stack back; two open ones.
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        guest.Code.xor(ebx, ebx);
        guest.Mark("jumps").Code.push(0x1234);
        guest.Code.lea(rax, __[guest.At("jumped")]);
        guest.Code.jmp(guest.At("fn"));
        guest.Mark("jumped").Code.inc(ebx);
        guest.Code.cmp(ebx, 3);
        guest.Code.jne(guest.At("jumps"));
        for (int i = 0; i < 4; i++)
        {
            guest.Code.mov(rsp, StackTop);
            guest.Code.lea(rax, __[guest.At("left" + i)]);
            guest.Code.call(guest.At("fn"));
            guest.Mark("left" + i).Code.nop();
        }

        guest.Code.mov(rsp, StackTop);
        guest.Code.lea(rax, __[guest.At("inside")]);
        guest.Code.call(guest.At("fn"));
        guest.Mark("inside").Code.lea(rax, __[guest.At("last")]);
        guest.Code.call(guest.At("fn"));
        guest.Mark("last").Exit();
        guest.Mark("fn").Code.jmp(rax);
        guest.Mark("never").Code.ret();

        RecordedGuest run = Run(guest, ["r:never never", "r:fn fn", "p:entry fn"]);

        Assert.Equal(
            [
                (0, 3, "3 calls had no return address on the stack"),
                (4, 4, "4 calls were abandoned: their task ended or their stack was unwound"),
                (4, 2, "2 calls had not returned at the end"),
            ],
            run.Trace.Notes.Select(Note));
        Assert.All(run.Trace.Notes, row => Assert.Equal((Int128)1, row[3]));
        Assert.Equal([0ul, 0ul, 9ul], run.End.Hits.Select(h => h.Hits));
    }

    [Fact]
    public void Calls_beyond_those_that_can_be_open_are_missed()
    {
        const int calls = KprobeTrace.Kprobes.ReturnCalls.MaxOpen + 3;
        FlatGuest guest = new();
        guest.Code.mov(rsp, RecordedGuest.Memory);
        guest.Code.mov(ecx, calls);
        guest.Code.call(guest.At("fn"));
        guest.Mark("fn").Code.dec(ecx);
        guest.Code.je(guest.At("out"));
        guest.Code.call(guest.At("fn"));
        guest.Mark("out").Exit();

        RecordedGuest run = RecordedGuest.Run(guest, new RecordingOptions { Image = "", Probes = ["r:fn fn", "p:out out"], Kinds = EventKinds.Pre });

        Assert.Equal([(4, calls - 3, $"{calls - 3} calls had not returned at the end")], run.Trace.Notes.Select(Note));
        Assert.Equal([3, 0], ((object?[])run.Trace.Footer["probes"]!).Select(p => (int)(Int128)((object?[])p!)[2]!));
    }

    [Fact]
    public void Calls_that_all_return_are_not_noted()
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        guest.Code.call(guest.At("fn"));
        guest.Exit();
        guest.Mark("fn").Code.ret();

        RecordedGuest run = Run(guest, ["r:fn fn"]);

        Assert.Empty(run.Trace.Notes);
        Assert.Equal([("fn", 1ul)], run.End.Hits.Select(h => (h.Name, h.Hits)));
    }

    [Fact]
    public void Probe_that_the_guest_moves_off_a_boundary_and_back_is_told_both_times()
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        foreach (byte value in new byte[] { 0x90, 0xB0, 0x90 })
        {
            guest.Code.mov(__byte_ptr[guest.At("fn")], value);
            guest.Code.mov(__byte_ptr[guest.At("other")], 0x90);
            guest.Code.call(guest.At("fn"));
        }

        guest.Code.mov(__byte_ptr[guest.At("fn")], 0xB0);
        guest.Exit();
        guest.Mark("fn").Code.nop();
        guest.Code.nop();
        guest.Code.ret();
        guest.Mark("other").Code.nop();

        RecordedGuest run = Run(guest, ["p:entry fn", "p:inside fn+1", "r:back fn"], EventKinds.Pre);

        Assert.Equal(
            [
                (3, 1, "off-boundary: the guest rewrote its text, no instruction begins at fn+0x1/0x3 any more"),
                (3, 1, "armed: an instruction begins at fn+0x1/0x3 again"),
                (3, 1, "off-boundary: the guest rewrote its text, no instruction begins at fn+0x1/0x3 any more"),
            ],
            run.Trace.Notes.Select(Note));
        Assert.All(run.Trace.Notes, row => Assert.Equal((Int128)1, row[3]));
        Assert.Equal(["armed", "off-boundary", "armed", "off-boundary"], run.Trace.Probes.Where(row => (Int128)row[0]! == 1).Select(row => (string)row[10]!));
        Assert.Equal([0, 1, 0, 0, 1], run.Events.Select(e => e.Probe));
        Assert.Equal(["armed", "off-boundary", "armed"], ((object?[])run.Trace.Footer["probes"]!).Select(p => ((object?[])p!)[3]));
    }

    [Fact]
    public void Definitions_that_were_left_out_are_noted_before_anything_runs()
    {
        FlatGuest guest = new();
        guest.Mark("fn").Exit();

        RecordedGuest run = RecordedGuest.Run(guest, new RecordingOptions { Image = "", Probes = ["p:fn fn", "p:a fm", "p:b nosuch"], SkipRefused = true });

        Assert.Equal(
            [
                (2, 1, "p:a fm: Invalid probed address or symbol (no symbol fm)"),
                (2, 1, "p:b nosuch: Invalid probed address or symbol (no symbol nosuch)"),
            ],
            run.Trace.Notes.Select(Note));
        Assert.All(run.Trace.Notes, row => Assert.Equal(((Int128)0, (Int128)0, (Int128)(-1)), (row[1], row[2], row[3])));
    }

    [Fact]
    public void Every_byte_that_a_probe_writes_before_the_run_is_told_with_its_reason()
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        guest.Code.call(guest.At("fn"));
        guest.Exit();
        guest.Mark("fn").Code.stc();
        guest.Code.ret();

        RecordedGuest run = Run(guest, ["p:a fn", "p:b fn+1", "-:b", "r:back fn"]);

        Assert.Equal(
            [
                (0, run.Addresses["fn"], "F9", "CC", "arm"), (0, run.Addresses["fn"] + 1, "C3", "CC", "arm"), (0, run.Addresses["fn"] + 1, "CC", "C3", "disarm"),
            ],
            run.Trace.CodeChanges.Select(row => (
                (int)(Int128)row[1]!, (ulong)(Int128)row[2]!, Convert.ToHexString((byte[])row[3]!), Convert.ToHexString((byte[])row[4]!), (string)row[5]!)));
    }

    [Fact]
    public void Definition_is_told_with_all_that_is_known_of_it()
    {
        FlatGuest guest = new();
        guest.Code.nop();
        guest.Mark("fn").Code.nop();
        guest.Code.nop();
        guest.Mark("end").Exit();
        guest.Assemble();
        ulong fn = guest.Addresses["fn"];

        RecordedGuest run = RecordedGuest.Run(
            guest,
            new RecordingOptions
            {
                Image = "",
                Probes = ["p:grp/one fn+1 n=%ax:u8 list=+0(%sp):x16[3] text=+0(%si):string", $"r:two 0x{fn:x} v=$retval", $"p:three 0x{fn + 1:x}"],
                Filters = ["grp/one: n > 3"],
            });

        Int128 at = (Int128)fn;
        Assert.Equal<object?[]>(
            [
                [(Int128)0, "p", "grp", "one", "fn", (Int128)1, at + 1, "", "p:grp/one fn+1 n=%ax:u8 list=+0(%sp):x16[3] text=+0(%si):string", "n > 3", "armed", new object?[] { new object?[] { "n", "u8" }, new object?[] { "list", "x16[3]" }, new object?[] { "text", "string" } }],
                [(Int128)1, "r", "kprobes", "two", "fn", (Int128)0, at, "", $"r:two 0x{fn:x} v=$retval", "", "armed", new object?[] { new object?[] { "v", "x64" } }],
                [(Int128)2, "p", "kprobes", "three", "fn", (Int128)1, at + 1, "", $"p:three 0x{fn + 1:x}", "", "armed", Array.Empty<object?>()],
            ],
            run.Trace.Probes);
    }

    [Fact]
    public void Probe_where_nothing_has_a_name_has_its_address_only()
    {
        FlatGuest guest = new();
        guest.Exit();

        RecordedGuest run = Run(guest, ["p:here 0x100000"]);

        Assert.Equal<object?[]>(
            [[(Int128)0, "p", "kprobes", "here", "", (Int128)0, (Int128)FlatGuest.Load, "", "p:here 0x100000", "", "armed", Array.Empty<object?>()]], run.Trace.Probes);
        Assert.Empty(run.Trace.Symbols);
    }

    private static (int Kind, int Count, string Text) Note(object?[] row) => ((int)(Int128)row[0]!, (int)(Int128)row[4]!, (string)row[5]!);

    private static RecordedGuest Run(FlatGuest guest, string[] probes, EventKinds kinds = EventKinds.All) =>
        RecordedGuest.Run(guest, new RecordingOptions { Image = "", Probes = probes, Kinds = kinds, MaxInstructions = 100_000 });
}
