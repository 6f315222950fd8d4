using Iced.Intel;
using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using KprobeTrace.Tests.Tracing;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Recording;

/// <summary>What becomes of hits: small guests run with probes on them, and a second reader says what the trace holds.</summary>
public sealed unsafe class EventRecorderTests
{
    private const int Pre = 0;
    private const int Post = 1;
    private const int Fault = 2;
    private const int Return = 3;
    private const int Registers = 1;
    private const int Arguments = 16;
    private const ulong StackTop = 0x70_0000;
    private const ulong Unmapped = 0x7000_0000_1230;

    private static readonly string[] _general =
        ["ax", "bx", "cx", "dx", "si", "di", "bp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    [Fact]
    public void Every_register_of_a_hit_is_in_its_event()
    {
        FlatGuest guest = new();
        AssemblerRegister64[] registers = [rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15];
        for (int i = 0; i < registers.Length; i++)
        {
            guest.Code.mov(registers[i], Value(i, 0));
        }

        guest.Code.mov(rsp, StackTop);
        guest.Code.stc();
        guest.Mark("here").Code.nop();
        guest.Exit();

        RecordedGuest run = Run(guest, ["p:here here"], EventKinds.Pre);

        PlainEvent e = Assert.Single(run.Events);
        Assert.Equal(registers.Select((_, i) => Value(i, 0)), _general.Select(name => e[name]));
        Assert.Equal((StackTop, 1UL, BootLayout.PageTables), (e["sp"], e["flags"] & 0x8D5, e["cr3"]));
        Assert.Equal((run.Addresses["here"], run.Addresses["here"] + 1), (e["address"], e["ip"]));
        Assert.Equal((Registers, Pre, 0, 0ul, 0ul), (e.Parts, e.Kind, e.Probe, e.Entry, e.EntryTime));
    }

    [Fact]
    public void Registers_that_change_from_hit_to_hit_are_told_from_those_that_stay()
    {
        // Eight hits of two probes; before hit n the registers whose bit is set in the n-th number get new values.
        int[] changes = [0x7FFF, 0, 1, 0x4000, 0x5555, 0x2AAA, 0, 0x7FFF];
        AssemblerRegister64[] registers = [rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15];
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        ulong[] now = new ulong[registers.Length];
        List<ulong[]> expected = [];
        for (int hit = 0; hit < changes.Length; hit++)
        {
            for (int i = 0; i < registers.Length; i++)
            {
                if ((changes[hit] >> i & 1) != 0)
                {
                    now[i] = hit % 3 == 2 ? Value(i, hit - 1) : Value(i, hit);
                    guest.Code.mov(registers[i], now[i]);
                }
            }

            expected.Add([.. now]);
            guest.Code.call(guest.At(hit % 3 == 1 ? "second" : "first"));
        }

        guest.Exit();
        guest.Mark("first").Code.ret();
        guest.Mark("second").Code.ret();

        RecordedGuest run = Run(guest, ["p:first first", "p:second second"], EventKinds.Pre);

        Assert.Equal(expected, run.Events.Select(e => _general.Select(name => e[name]).ToArray()));
        Assert.Equal([0, 1, 0, 0, 1, 0, 0, 1], run.Events.Select(e => e.Probe));
        Assert.All(run.Events, e => Assert.Equal(StackTop - 8, e["sp"]));
    }

    [Theory]
    [InlineData("count > 4", new[] { 5, 6, 7, 8, 9 })]
    [InlineData("count & 1", new[] { 1, 3, 5, 7, 9 })]
    [InlineData("count == 0", new[] { 0 })]
    [InlineData("count > 9", new int[0])]
    [InlineData("0", new[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 })]
    public void A_hit_that_the_filter_leaves_out_gives_no_event_of_any_kind(string filter, int[] expected)
    {
        FlatGuest guest = Calls(10);

        RecordedGuest run = Run(guest, ["p:fn fn count=%di:u32"], EventKinds.All, filters: ["fn: " + filter]);

        Assert.Equal(expected, run.Events.Where(e => e.Kind == Pre).Select(e => (int)(Int128)e.Arguments![0]!));
        Assert.Equal(expected, run.Events.Where(e => e.Kind == Post).Select(e => (int)e["di"]));
        Assert.Equal(2 * expected.Length, run.Events.Count);
        Assert.Equal(10, Hits(run, 0));
        Assert.Equal([expected.Length, expected.Length, 0, 0], run.End.EventsByKind);
    }

    [Fact]
    public void A_fault_that_the_filter_leaves_out_gives_no_event()
    {
        FlatGuest guest = new();
        guest.Handle(0, "divide");
        guest.Code.mov(rsp, StackTop);
        guest.Code.mov(rdi, 0);
        guest.Code.xor(ecx, ecx);
        guest.Mark("loop").Code.xor(edx, edx);
        guest.Mark("here").Code.div(ecx);
        guest.Code.inc(edi);
        guest.Code.cmp(edi, 4);
        guest.Code.jne(guest.At("loop"));
        guest.Exit();
        guest.Mark("divide").Code.add(__qword_ptr[rsp], 2);
        guest.Code.iretq();

        RecordedGuest run = Run(guest, ["p:here here n=%di:u32"], EventKinds.All, filters: ["here: n & 1"]);

        Assert.Equal([(Pre, 1ul), (Fault, 1ul), (Pre, 3ul), (Fault, 3ul)], run.Events.Select(e => (e.Kind, e["di"])));
    }

    [Fact]
    public void Returns_are_filtered_by_their_own_values()
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        for (int i = 0; i < 6; i++)
        {
            guest.Code.mov(edi, i);
            guest.Code.call(guest.At("fn"));
        }

        guest.Exit();
        guest.Mark("fn").Code.lea(eax, __[rdi + 100]);
        guest.Code.ret();

        RecordedGuest run = Run(guest, ["r:fn fn ret=$retval:u32"], EventKinds.All, filters: ["fn: ret >= 104"]);

        Assert.Equal([104, 105], run.Events.Select(e => (int)(Int128)e.Arguments![0]!));
        Assert.All(run.Events, e => Assert.Equal(Return, e.Kind));
        Assert.Equal(6, Hits(run, 0));
    }

    [Fact]
    public void A_post_event_completes_the_pre_event_of_its_own_hit()
    {
        RecordedGuest run = Run(Calls(5), ["p:fn fn", "p:other fn+1"], EventKinds.All);

        Assert.Equal([Pre, Post, Pre, Post], run.Events.Take(4).Select(e => e.Kind));
        Assert.Equal([0, 0, 1, 1], run.Events.Take(4).Select(e => e.Probe));
        Assert.All(run.Events.Where(e => e.Kind == Post), e => Assert.Equal(e.Seq - 1, e.Entry));
        Assert.All(run.Events.Where(e => e.Kind == Pre), e => Assert.Equal(0ul, e.Entry));
        Assert.All(run.Events.Where(e => e.Kind == Post), e => Assert.Null(e.Arguments));
    }

    public static TheoryData<int> KindSets => [.. Enumerable.Range(0, 16)];

    [Theory]
    [MemberData(nameof(KindSets))]
    public void Kinds_that_are_not_asked_for_are_not_written(int kinds)
    {
        FlatGuest guest = new();
        guest.Handle(0, "divide");
        guest.Code.mov(rsp, StackTop);
        guest.Code.xor(ecx, ecx);
        for (int i = 0; i < 3; i++)
        {
            guest.Code.call(guest.At("fn"));
        }

        guest.Exit();
        guest.Mark("fn").Code.nop();
        guest.Mark("here").Code.div(ecx);
        guest.Code.ret();
        guest.Mark("divide").Code.add(__qword_ptr[rsp], 2);
        guest.Code.iretq();

        RecordedGuest run = Run(guest, ["p:fn fn", "p:here here", "r:back fn"], (EventKinds)kinds);

        int[] every = [6, 3, 3, 3];
        int[] expected = [.. every.Select((count, kind) => (kinds >> kind & 1) != 0 ? count : 0)];
        Assert.Equal(expected, Enumerable.Range(0, 4).Select(kind => run.Events.Count(e => e.Kind == kind)));
        Assert.Equal(expected.Select(n => (long)n), run.End.EventsByKind);
        bool hasPre = (kinds & 1) != 0;
        Assert.All(run.Events.Where(e => e.Kind is Post or Fault), e => Assert.Equal(hasPre ? e.Seq - 1 : 0, e.Entry));
    }

    [Fact]
    public void A_fault_tells_vector_error_code_and_address_and_the_next_one_its_own()
    {
        FlatGuest guest = new();
        guest.Handle(0, "divide").Handle(14, "page").Handle(13, "general");
        guest.Code.mov(rsp, StackTop);
        guest.Code.mov(rbx, Unmapped);
        guest.Mark("write").Code.mov(__qword_ptr[rbx], rax);
        guest.Code.xor(ecx, ecx);
        guest.Mark("div").Code.div(rcx);
        guest.Code.mov(eax, 0x1230);
        guest.Mark("load").Code.mov(fs, eax);
        guest.Exit();
        guest.Mark("page").Code.add(rsp, 8);
        guest.Code.add(__qword_ptr[rsp], 3);
        guest.Code.iretq();
        guest.Mark("general").Code.add(rsp, 8);
        guest.Code.add(__qword_ptr[rsp], 2);
        guest.Code.iretq();
        guest.Mark("divide").Code.add(__qword_ptr[rsp], 3);
        guest.Code.iretq();

        RecordedGuest run = Run(guest, ["p:write write", "p:div div", "p:load load"], EventKinds.All);

        Assert.Equal(
            [(14ul, 2ul, Unmapped), (0ul, 0ul, 0ul), (13ul, 0x1230ul, 0ul)],
            run.Events.Where(e => e.Kind == Fault).Select(e => (e["vector"], e["error"], e["cr2"])));
        Assert.All(run.Events.Where(e => e.Kind == Fault), e => Assert.Equal((e.Seq - 1, (object?[]?)null, Registers), (e.Entry, e.Arguments, e.Parts)));
        Assert.All(run.Events.Where(e => e.Kind == Pre), e => Assert.Equal((0ul, 0ul, 0ul), (e["vector"], e["error"], e["cr2"])));
    }

    [Fact]
    public void Nothing_of_a_fault_or_a_caller_is_left_in_the_events_that_follow_of_the_same_probe()
    {
        FlatGuest guest = new();
        guest.Handle(14, "fault").Handle(13, "fault");
        guest.Code.mov(rsp, StackTop);
        foreach (ulong address in new[] { Unmapped, StackTop - 64, 1ul << 63, StackTop - 64 })
        {
            guest.Code.mov(rbx, address);
            guest.Code.call(guest.At("fn"));
        }

        guest.Exit();
        guest.Mark("fn").Code.mov(__qword_ptr[rbx], rax);
        guest.Code.ret();
        guest.Mark("fault").Code.add(rsp, 8);
        guest.Code.add(__qword_ptr[rsp], 3);
        guest.Code.iretq();

        RecordedGuest run = Run(guest, ["p:fn fn bx=%bx"], EventKinds.All);

        Assert.Equal(
            [
                (Pre, 0ul, 0ul, 0ul), (Fault, 14ul, 2ul, Unmapped), (Pre, 0ul, 0ul, 0ul), (Post, 0ul, 0ul, 0ul),
                (Pre, 0ul, 0ul, 0ul), (Fault, 13ul, 0ul, 0ul), (Pre, 0ul, 0ul, 0ul), (Post, 0ul, 0ul, 0ul),
            ],
            run.Events.Select(e => (e.Kind, e["vector"], e["error"], e["cr2"])));
        Assert.All(run.Events, static e => Assert.Equal(e.Kind == Pre, e.Arguments is not null));
        Assert.All(run.Events, e => Assert.Equal(e.Kind == Pre, e["caller"] != 0));
        Assert.All(run.Events, e => Assert.Equal(e.Kind == Pre ? 0 : e.Seq - 1, e.Entry));
    }

    [Fact]
    public void The_caller_is_known_at_a_functions_first_instruction_only_and_where_the_stack_can_be_read()
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        guest.Code.call(guest.At("fn"));
        guest.Mark("behind").Code.mov(rsp, Unmapped);
        guest.Code.jmp(guest.At("last"));
        guest.Mark("fn").Code.nop();
        guest.Mark("label").Code.nop();
        guest.Code.ret();
        guest.Mark("last").Code.nop();
        guest.Exit();
        byte[] code = guest.Assemble();
        Assert.NotEmpty(code);
        ulong fn = guest.Addresses["fn"];

        RecordedGuest run = Run(guest, ["p:a fn", "p:b fn+1", $"p:c 0x{fn + 2:x}", $"p:d 0x{guest.Addresses["last"]:x}", $"p:e 0x{fn:x}"], EventKinds.Pre);

        ulong behind = run.Addresses["behind"];
        Assert.Equal(
            [(4, behind), (0, behind), (1, 0ul), (2, 0ul), (3, 0ul)],
            run.Events.Select(e => (e.Probe, e["caller"])));
    }

    [Fact]
    public void A_return_event_tells_function_caller_and_when_the_call_began()
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        guest.Code.call(guest.At("fn"));
        guest.Mark("one").Code.nop();
        guest.Code.call(guest.At("fn"));
        guest.Mark("two").Code.nop();
        guest.Exit();
        guest.Mark("fn").Code.mov(rax, 0x1234_5678_9ABC_DEF0);
        guest.Code.nop();
        guest.Code.nop();
        guest.Code.ret();

        RecordedGuest run = Run(guest, ["p:enter fn", "r:leave fn ret=$retval"], EventKinds.All, idle: 1000);

        PlainEvent[] entries = [.. run.Events.Where(e => e.Kind == Pre)];
        PlainEvent[] returns = [.. run.Events.Where(e => e.Kind == Return)];
        Assert.Equal([run.Addresses["one"], run.Addresses["two"]], returns.Select(e => e["caller"]));
        Assert.All(returns, e => Assert.Equal(run.Addresses["fn"], e["address"]));
        Assert.All(returns, e => Assert.Equal((Int128)0x1234_5678_9ABC_DEF0, Assert.Single(e.Arguments!)));
        Assert.Equal(entries.Select(e => e.Time), returns.Select(e => e.EntryTime));
        Assert.Equal(entries.Select(e => e.Time + 4), returns.Select(e => e.Time));
        Assert.All(returns, e => Assert.Equal((Registers | Arguments, 0ul), (e.Parts, e.Entry)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(12_345)]
    public void Time_is_retired_instructions_and_the_idle_time_before(long idle)
    {
        FlatGuest guest = new();
        guest.Mark("zero").Code.nop();
        guest.Mark("one").Code.nop();
        guest.Code.nop();
        guest.Mark("three").Code.nop();
        guest.Exit();

        RecordedGuest run = Run(guest, ["p:zero zero", "p:one one", "p:three three"], EventKinds.Pre, idle: idle);

        Assert.Equal([0ul, 1ul, 3ul], run.Events.Select(e => e.Instructions));
        Assert.All(run.Events, e => Assert.Equal(e.Instructions + (ulong)idle, e.Time));
        Assert.Equal((Int128)(6 + idle), run.Trace.Footer["time_ns"]);
        Assert.Equal((Int128)6, run.Trace.Footer["insn"]);
    }

    [Theory]
    [InlineData(4, 4, "max-events")]
    [InlineData(5, 5, "max-events")]
    [InlineData(6, 6, "max-events")]
    [InlineData(7, 6, "exit")]
    [InlineData(1, 1, "max-events")]
    public void No_more_events_are_written_than_asked_for(long limit, int written, string ended)
    {
        RecordedGuest run = Run(Calls(3), ["p:fn fn"], EventKinds.All, maxEvents: limit);

        Assert.Equal(written, run.Events.Count);
        Assert.Equal(ended, run.Trace.Footer["ended"]);
        Assert.Equal((Int128)written, run.Trace.Footer["events"]);
        Assert.Equal($"{limit}", ((Dictionary<object, object?>)run.Trace.Header["options"]!)["max-events"]);
    }

    [Fact]
    public void Arguments_behind_one_that_cannot_be_read_are_right_and_so_are_those_of_the_next_hit()
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        guest.Code.mov(rsi, Unmapped);
        guest.Code.call(guest.At("fn"));
        guest.Code.lea(rsi, __[guest.At("data")]);
        guest.Code.call(guest.At("fn"));
        guest.Exit();
        guest.Mark("fn").Code.mov(edi, 7);
        guest.Code.ret();
        guest.Mark("data").Code.db("text\0\0\0\0"u8.ToArray());

        RecordedGuest run = Run(
            guest, ["p:fn fn first=%sp bad=+0(%si):u32 then=%sp text=+0(%si):ustring last=%sp pair=+0(%si):u8[2]"], EventKinds.Pre);

        Int128 sp = StackTop - 8;
        Assert.Equal<object?[]>([sp, null, sp, null, sp, new object?[] { null, null }], run.Events[0].Arguments!);
        Assert.Equal<object?[]>([sp, (Int128)0x7478_6574, sp, "text", sp, new object?[] { (Int128)'t', (Int128)'e' }], run.Events[1].Arguments!);
    }

    [Fact]
    public void Probes_are_numbered_in_their_order_without_those_taken_back()
    {
        RecordedGuest run = Run(Calls(2), ["p:a fn", "p:b fn+1", "-:a", "p:c fn"], EventKinds.Pre);

        Assert.Equal(["b", "c"], run.Trace.Probes.OrderBy(p => (Int128)p[0]!).Select(p => p[3]));
        Assert.Equal([1, 0, 1, 0], run.Events.Select(e => e.Probe));
        Assert.Equal(run.Addresses["fn"] + 1, run.Events[1]["address"]);
    }

    private static ulong Value(int register, int hit) => unchecked((0x0102_0304_0506_0708 + ((ulong)register << 40)) * (ulong)(hit + 1)) ^ ((ulong)(register + 1) << 56);

    private static int Hits(RecordedGuest run, int probe) =>
        (int)(Int128)((object?[])((object?[])run.Trace.Footer["probes"]!)[probe]!)[1]!;

    /// <summary>So many calls of a function whose first instruction is a nop, with the call's number in EDI.</summary>
    private static FlatGuest Calls(int count)
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        guest.Code.xor(edi, edi);
        guest.Mark("loop").Code.call(guest.At("fn"));
        guest.Code.inc(edi);
        guest.Code.cmp(edi, count);
        guest.Code.jne(guest.At("loop"));
        guest.Exit();
        guest.Mark("fn").Code.nop();
        guest.Code.nop();
        guest.Code.ret();
        return guest;
    }

    [Theory]
    [InlineData("__probe_func == FN", 5)]
    [InlineData("__probe_func == BEHIND", 0)]
    [InlineData("__probe_ret_ip == BEHIND", 5)]
    [InlineData("__probe_ret_ip == FN", 0)]
    public void A_filter_of_returns_knows_the_function_and_where_it_returns_to(string filter, int events)
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        guest.Code.mov(ebx, 5);
        guest.Mark("loop").Code.call(guest.At("fn"));
        guest.Mark("behind").Code.dec(ebx);
        guest.Code.jne(guest.At("loop"));
        guest.Exit();
        guest.Mark("fn").Code.ret();
        guest.Assemble();
        string known = filter.Replace("FN", $"0x{guest.Addresses["fn"]:x}", StringComparison.Ordinal).Replace("BEHIND", $"0x{guest.Addresses["behind"]:x}", StringComparison.Ordinal);

        Assert.Equal(events, Run(guest, ["r:fn_ret fn"], EventKinds.Return, [$"fn_ret: {known}"]).Events.Count);
    }

    [Fact]
    public void Returns_that_a_filter_leaves_out_are_counted()
    {
        FlatGuest guest = new();
        guest.Code.mov(rsp, StackTop);
        for (int i = 0; i < 5; i++)
        {
            guest.Code.mov(rax, i);
            guest.Code.call(guest.At("fn"));
        }

        guest.Exit();
        guest.Mark("fn").Code.ret();

        RecordedGuest run = Run(guest, ["r:fn_ret fn v=$retval"], EventKinds.All, ["fn_ret: v > 2"]);

        ProbeHits hits = Assert.Single(run.End.Hits);
        Assert.Equal((2, 5ul, 3ul), (run.Events.Count(e => e.Kind == Return), hits.Hits, hits.Filtered));
    }

    private static RecordedGuest Run(
        FlatGuest guest, string[] probes, EventKinds kinds, string[]? filters = null, long maxEvents = 0, long idle = 0) => RecordedGuest.Run(
            guest,
            new RecordingOptions { Image = "", Probes = probes, Kinds = kinds, Filters = filters ?? [], MaxEvents = maxEvents, MaxInstructions = 100_000 },
            recorder => recorder.Session.Machine.Processors.Bootstrap.State->IdleTime = idle);
}
