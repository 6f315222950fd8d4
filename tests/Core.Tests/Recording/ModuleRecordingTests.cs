using KprobeTrace.Recording;
using KprobeTrace.Session;
using Xunit;

namespace KprobeTrace.Tests.Recording;

/// <summary>Modules and init text that come and go under probes, as the trace tells it.</summary>
public sealed class ModuleRecordingTests
{
    private const int Pre = 0;
    private const int Return = 3;
    private const int Refusal = 2;
    private const int ProbeState = 3;
    private const int Remark = 4;
    private const ulong InitText = SmallKernel.Link + 0xE000;

    private static readonly SmallModule _module = new("tmod", SmallKernel.Modules + 0x1000, SmallKernel.Modules + 0x2000);
    private static readonly SmallModule _elsewhere = _module with { Core = SmallKernel.Modules + 0x5000, Init = SmallKernel.Modules + 0x6000 };

    [Fact]
    public void Module_that_comes_is_told_with_its_text_and_so_is_that_its_init_text_goes_and_that_it_goes()
    {
        ModuleLinux linux = new ModuleLinux().Load(_module).Remove(_module);

        RecordedGuest run = Run(linux, ["p:free free_module"]);

        Assert.Equal(
            [
                "module tmod loaded: text 0xffffffffc0001000-0xffffffffc0001100, init text 0xffffffffc0002000-0xffffffffc0002040",
                "module tmod initialised; its init text is freed",
                "module tmod unloaded",
            ],
            Notes(run, Remark));
        Assert.All(run.Trace.Notes, row => Assert.Equal(((Int128)(-1), (Int128)1), (row[3], row[4])));
        Assert.Equal(run.Events[0].Instructions, (ulong)(Int128)run.Trace.Notes[2][2]!);
    }

    [Fact]
    public void Module_without_an_init_part_has_its_text_only()
    {
        SmallModule bare = _module with { Init = 0 };

        RecordedGuest run = Run(new ModuleLinux().Load(bare), ["p:free free_module"]);

        Assert.Equal(
            ["module tmod loaded: text 0xffffffffc0001000-0xffffffffc0001100", "module tmod initialised; its init text is freed"], Notes(run, Remark));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public void Module_whose_init_function_fails_is_never_initialised(int result)
    {
        SmallModule failing = _module with { Result = result };

        RecordedGuest run = Run(new ModuleLinux().Load(failing), ["p:in tmod:tmod_init", "p:fn tmod:tmod_fn"]);

        Assert.Equal(["loaded", "unloaded"], Notes(run, Remark).Select(n => n.Split(' ', ':')[2]));
        Assert.Equal(["gone", "gone"], States(run));
    }

    [Fact]
    public void Probe_waits_for_its_module_and_is_gone_with_it_and_there_again_with_the_next()
    {
        ModuleLinux linux = new ModuleLinux().Load(_module).Call(_module.Core, 2).Remove(_module).Load(_elsewhere).Call(_elsewhere.Core, 3).Remove(_elsewhere);
        IEnumerable<string> pending = [];

        RecordedGuest run = Run(linux, ["p:free free_module", "p:fn tmod:tmod_fn", "r:back tmod:tmod_fn"], prepare: recorder => pending = [.. recorder.Pending]);

        Assert.Equal(["tmod:tmod_fn", "tmod:tmod_fn"], pending);
        foreach ((int probe, int kind) in new[] { (1, Pre), (2, Return) })
        {
            Assert.Equal(
                [("pending", 0ul), ("armed", _module.Core), ("gone", _module.Core), ("armed", _elsewhere.Core), ("gone", _elsewhere.Core)],
                Rows(run, probe).Select(row => (State(row), (ulong)(Int128)row[6]!)));
            Assert.Equal(
                [
                    "armed: its module came, it is at 0xffffffffc0001000", "gone: its text was freed",
                    "armed: its module came, it is at 0xffffffffc0005000", "gone: its text was freed",
                ],
                Notes(run, ProbeState, probe));
            Assert.Equal(
                [.. Enumerable.Repeat(_module.Core, 2), .. Enumerable.Repeat(_elsewhere.Core, 3)],
                run.Events.Where(e => e.Probe == probe && e.Kind == kind).Select(e => e["address"]));
        }

        Assert.Equal([("free", 2ul), ("fn", 5ul), ("back", 5ul)], run.End.Hits.Select(h => (h.Name, h.Hits)));
        Assert.Equal(["armed", "gone", "gone"], States(run));
        Assert.Empty(run.End.Refused);
        Assert.Empty(Notes(run, Refusal));
    }

    [Fact]
    public void Probe_of_an_init_function_is_there_before_it_runs_and_gone_behind_it()
    {
        RecordedGuest run = Run(new ModuleLinux().Load(_module).Call(_module.Init), ["p:in tmod:tmod_init", "p:fn tmod:tmod_fn"]);

        Assert.Equal((_module.Init, 0), (Assert.Single(run.Events, e => e.Kind == Pre)["address"], run.Events[0].Probe));
        Assert.Equal(["gone", "armed"], States(run));
        Assert.Equal(
            [(_module.Init, "90", "CC", "arm"), (_module.Core, "90", "CC", "arm"), (_module.Init, "CC", "90", "gone")],
            run.Trace.CodeChanges.Select(row => ((ulong)(Int128)row[2]!, Convert.ToHexString((byte[])row[3]!), Convert.ToHexString((byte[])row[4]!), (string)row[5]!)));
        Assert.Equal(["armed: its module came, it is at 0xffffffffc0002000", "gone: its text was freed"], Notes(run, ProbeState, 0));
        Assert.Equal(["module tmod loaded", "armed", "gone", "module tmod initialised"], [.. Order(run, 0)]);
    }

    [Fact]
    public void Function_or_data_that_the_module_does_not_have_is_refused_when_it_comes()
    {
        RecordedGuest run = Run(
            new ModuleLinux().Load(_module).Call(_module.Core),
            ["p:bad tmod:nosuch", "p:fn tmod:tmod_fn", "p:data tmod:tmod_fn v=@nosuch:u32", "r:worse tmod:nosuch", "p:never other:fn"]);

        Assert.Equal(["refused", "armed", "refused", "refused", "pending"], States(run));
        Assert.Equal(
            [("bad", "no symbol tmod:nosuch"), ("data", "no symbol nosuch"), ("worse", "no symbol tmod:nosuch")], run.End.Refused);
        Assert.Equal(["tmod:nosuch: no symbol tmod:nosuch (-2)"], Notes(run, Refusal, 0));
        Assert.Equal(["tmod:tmod_fn: no symbol nosuch (-2)"], Notes(run, Refusal, 2));
        Assert.Equal(["tmod:nosuch: no symbol tmod:nosuch (-2)"], Notes(run, Refusal, 3));
        Assert.Equal(["pending", "refused"], Rows(run, 0).Select(State));
        Assert.Equal([1], run.Events.Where(e => e.Kind == Pre).Select(e => e.Probe));
        Assert.Equal(["bad", "data", "worse", "never"], run.End.NeverFired);
    }

    [Fact]
    public void Data_of_a_module_is_found_where_the_module_is()
    {
        SmallModule longer = new("longer", SmallKernel.Modules + 0x9000, SmallKernel.Modules + 0xA000);

        RecordedGuest run = Run(
            new ModuleLinux().Load(longer).Load(_module).Call(_module.Core).Remove(_module).Load(_elsewhere).Call(_elsewhere.Core),
            ["p:fn tmod:tmod_fn v=@tmod_data:u32 other=@longer_data:u32"],
            kinds: EventKinds.Pre);

        Assert.Equal(2, run.Events.Count);
        Assert.All(run.Events, e => Assert.Equal([(Int128)_module.Value, (Int128)longer.Value], e.Arguments!));
    }

    [Theory]
    [InlineData(EventKinds.Pre, 1, 0, 0)]
    [InlineData(EventKinds.Post, 0, 1, 0)]
    [InlineData(EventKinds.Return, 0, 0, 1)]
    [InlineData(EventKinds.All, 1, 1, 1)]
    public void Kinds_hold_for_probes_of_modules_too(EventKinds kinds, int pre, int post, int returns)
    {
        RecordedGuest run = Run(new ModuleLinux().Load(_module).Call(_module.Core), ["p:fn tmod:tmod_fn", "r:back tmod:tmod_fn"], kinds: kinds);

        Assert.Equal([pre, post, 0, returns], run.End.EventsByKind);
    }

    [Fact]
    public void Probe_that_is_taken_back_before_its_module_comes_is_never_there()
    {
        List<string> list = [];

        RecordedGuest run = Run(
            new ModuleLinux().Load(_module).Call(_module.Core),
            ["p:one tmod:tmod_fn", "r:two tmod:tmod_fn", "p:kept tmod:tmod_fn", "-:one", "-:two"],
            progress: recorder => list.Add(recorder.Session.Kprobes.List()));

        Assert.Equal(["kept"], run.Trace.Footer["probes"] is object?[]? run.End.Hits.Select(h => h.Name) : []);
        Assert.Equal([0], run.Events.Where(e => e.Kind == Pre).Select(e => e.Probe));
        Assert.Single(Assert.Single(list).TrimEnd().Split('\n'));
    }

    [Fact]
    public void Symbols_are_told_anew_where_another_module_takes_the_place_of_one()
    {
        SmallModule second = new("next", _module.Core, _module.Init);

        RecordedGuest run = Run(
            new ModuleLinux().Load(_module).Call(_module.Core).Remove(_module).Load(second).Call(second.Core),
            ["p:a tmod:tmod_fn", "p:b next:next_fn", "p:c tmod:tmod_init", "p:d next:next_init"]);

        Assert.Equal(
            [(_module.Init, "tmod_init", "tmod"), (_module.Core, "tmod_fn", "tmod"), (second.Init, "next_init", "next"), (second.Core, "next_fn", "next")],
            run.Trace.Symbols.Where(row => (ulong)(Int128)row[0]! >= SmallKernel.Modules).Select(row => ((ulong)(Int128)row[0]!, (string)row[2]!, (string)row[3]!)));
    }

    [Fact]
    public void Init_text_of_the_kernel_is_gone_once_it_is_freed_and_counted_no_more()
    {
        ModuleLinux linux = new ModuleLinux().Call(InitText, 2).Call("free_initmem").Call(InitText);
        linux.Kernel.Symbol("_sinittext", InitText).Symbol("early", InitText).Symbol("_einittext", InitText + 0x100);
        new byte[] { 0x90, 0xC3 }.CopyTo(linux.Kernel.At(InitText));
        FunctionCounts? counts = null;
        (string, long)[] counted = [];

        RecordedGuest run = Run(
            linux,
            ["p:early early", "r:back early"],
            prepare: recorder => counts = new FunctionCounts(recorder.Session, [.. recorder.Session.Symbols.FindAll("early"), .. recorder.Session.Symbols.FindAll("free_initmem")]),
            progress: _ => counted = [.. counts!.Counts().Select(c => (c.Function.Name, c.Count))]);

        Assert.Equal(2, run.Events.Count(e => e.Kind == Pre));
        Assert.Equal(["gone", "gone"], States(run));
        Assert.Equal(["gone: its text was freed"], Notes(run, ProbeState, 0));
        Assert.Equal([("free_initmem", 1L), ("early", 2L)], counted);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    public void Calls_of_a_task_that_ended_are_abandoned_and_those_of_others_are_not(ulong task, int abandoned)
    {
        ModuleLinux linux = new ModuleLinux().Call("outer", task);
        linux.Kernel.Guest.Exit();
        linux.Kernel.Guest.Mark("outer").Code.call(linux.Kernel.Guest.At("__put_task_struct"));
        linux.Kernel.Guest.Code.ret();

        RecordedGuest run = Run(linux, ["r:outer outer"]);

        Assert.Equal(1 - abandoned, run.Events.Count);
        Assert.Equal(
            abandoned == 0 ? [] : ["1 calls were abandoned: their task ended or their stack was unwound"], Notes(run, Remark, 0));
    }

    private static RecordedGuest Run(
        ModuleLinux linux, string[] probes, EventKinds kinds = EventKinds.All, Action<Recorder>? prepare = null, Action<Recorder>? progress = null) =>
        RecordedGuest.Run(
            linux.Build(), new RecordingOptions { Image = "", Probes = probes, Kinds = kinds, MaxInstructions = 100_000 }, prepare, progress);

    private static string[] Notes(RecordedGuest run, int kind, int? probe = null) =>
        [.. run.Trace.Notes.Where(row => (Int128)row[0]! == kind && (probe is null || (Int128)row[3]! == probe)).Select(row => (string)row[5]!)];

    /// <summary>What is told of modules and of one probe, in its order, without the details.</summary>
    private static IEnumerable<string> Order(RecordedGuest run, int probe) => run.Trace.Notes
        .Where(row => (Int128)row[3]! is var of && (of == -1 || of == probe)).Select(row => ((string)row[5]!).Split(':', ';')[0]);

    private static IEnumerable<object?[]> Rows(RecordedGuest run, int probe) => run.Trace.Probes.Where(row => (Int128)row[0]! == probe);

    private static string State(object?[] row) => row.OfType<string>().Single(text => text is "pending" or "armed" or "gone" or "refused" or "disabled" or "off-boundary");

    private static string[] States(RecordedGuest run) => [.. ((object?[])run.Trace.Footer["probes"]!).Select(row => State((object?[])row!))];
}
