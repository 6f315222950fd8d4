using System.Text.Json;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Small histories that the models found answered wrongly.</summary>
public sealed class HistoryCaseTests
{
    private const ulong Inner = HistoryGen.Kernel + 0x1000;

    private static readonly HistoryTask _shell = new(42, "sh"u8.ToArray());

    private static readonly HistoryWorld _world = new()
    {
        Functions = [new("outer", HistoryGen.Kernel, 0x100, ""), new("inner", Inner, 0, "")],
        Probes =
        [
            Probe(0, 'p', "outer_in", 0, new TraceArgument("what", "string")), Probe(1, 'r', "outer_out", 0), Probe(2, 'r', "outer_out2", 0),
            Probe(3, 'p', "inner_in", 1),
        ],
        Tasks = [_shell],
        Cpus = 1,
    };

    [Fact]
    public void Every_return_probe_of_a_function_has_the_entry_of_the_call()
    {
        using HistoryDatabase database = new([Plan(Call(0), Return(HistoryNaming.Time))]);

        Assert.Equal(["outer_out,1,2,3", "outer_out2,1,3,3"], Tool.Rows(database.Source, "SELECT name, entry_seq, return_seq, duration_ns FROM calls"));
    }

    [Fact]
    public void The_second_return_probe_of_an_inner_call_does_not_take_the_outer_entry()
    {
        using HistoryDatabase database = new([Plan(Call(0), Call(0), Return(HistoryNaming.Nothing), Return(HistoryNaming.Nothing))]);

        Assert.Equal(["2", "2", "1", "1"], Tool.Rows(database.Source, "SELECT entry_seq FROM calls ORDER BY return_seq"));
    }

    [Fact]
    public void Calls_within_one_whose_entry_was_not_recorded_end_with_it()
    {
        HistoryPlan plan = Plan(Call(0) with { IsFiltered = true }, Call(0), Step(HistoryStepKind.Lose), Return(HistoryNaming.Time), Call(1), Call(0), Return(HistoryNaming.Nothing), Return(HistoryNaming.Nothing));
        using HistoryDatabase database = new([plan with { Steps = [.. plan.Steps, Step(HistoryStepKind.Lose), Call(1), Return(HistoryNaming.Nothing)] }]);

        Assert.Equal(["", "", "5", "5"], Tool.Rows(database.Source, "SELECT ifnull(entry_seq, '') FROM calls ORDER BY return_seq").Select(static r => r.Trim('"')));
    }

    [Fact]
    public void A_condition_over_arguments_holds_in_every_run_that_has_the_event()
    {
        HistoryWorld other = _world with { Probes = [Probe(0, 'p', "inner_in", 1)] };
        using HistoryDatabase database = new([Plan(Call(0)), Plan(Call(1)) with { World = other }]);

        Assert.Equal(3, Tool.Good("events", database.Source, "--probe", "outer_in", "--where", "what = ''").Count(static c => c == '\n'));
        Assert.Equal(3, Tool.Good("events", database.Source, "--probe", "kprobes/outer_in", "--where", "what = ''").Count(static c => c == '\n'));
    }

    [Fact]
    public void A_limit_of_stacks_is_one_of_all_runs()
    {
        using HistoryDatabase database = new([Plan(From(0), From(0)), Plan(From(0), From(0))]);

        Assert.Equal("sh;outer;outer 3\n", Tool.Good("stacks", database.Source, "--folded", "--limit", "3"));
    }

    [Fact]
    public void A_probe_without_entries_counts_by_what_was_recorded_beside_others_that_have_them()
    {
        HistoryPlan plan = Plan(Call(0), Call(1) with { Outcome = HistoryOutcome.Post }, Return(HistoryNaming.Time), Return(HistoryNaming.Time));
        using HistoryDatabase database = new([plan with { Kinds = [TraceEventKind.Post, TraceEventKind.Return] }]);

        Assert.Equal(["inner_in,1", "outer_out,1", "outer_out2,1"], Tool.Good("hist", database.Source, "--key", "name", "--format", "csv").Split("\r\n")[1..^1]);
    }

    [Fact]
    public void A_mean_is_that_of_the_events_that_have_the_value()
    {
        HistoryStep call = Call(0) with { Outcome = HistoryOutcome.Post };
        History history = HistorySimulation.Of(Plan(call, call, Call(0)));
        Queue<object?> values = new([-100L, 5L, null]);
        using HistoryDatabase folder = new([Plan()]);
        string trace = (history with
        {
            Events = [.. history.Events.Select(e => e.Arguments is null ? e : e with { Arguments = [values.Dequeue()] })],
        }).Write(folder["mean.mpk"]);

        Assert.Equal(
            "key,count,sum,min,mean,max\r\nouter_in,3,-95,-100,-47.5,5\r\n",
            Tool.Good("hist", trace, "--of", "outer_in", "--key", "name", "--value", "what", "--format", "csv"));
        JsonElement post = JsonDocument.Parse(
            Tool.Good("hist", trace, "--of", "outer_in", "--key", "name", "--value", "what", "--kind", "post", "--format", "json")).RootElement[0];
        Assert.Equal((2, JsonValueKind.Null), (post.GetProperty("count").GetInt32(), post.GetProperty("mean").ValueKind));
    }

    [Fact]
    public void The_last_hit_before_an_event_is_its_entry_and_not_what_followed()
    {
        using HistoryDatabase database = new([Plan(Call(0) with { Outcome = HistoryOutcome.Post }, Call(1))]);

        Assert.EndsWith(
            "Last hit of each probe before it\n         1 " + HistoryLine.Of(database.Runs[0], database.Runs[0].Rows[0], nanoseconds: true) + "\n",
            Tool.Good("before", database.Source, "--seq", "3"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_caller_at_the_first_byte_of_a_symbol_of_unknown_size_is_a_place_like_others()
    {
        HistoryEvent[] events = [.. HistorySimulation.Of(Plan(Call(0), Return(HistoryNaming.Time))).Events.Select(static e => e with { Caller = Inner })];
        History history = HistorySimulation.Of(Plan()) with { Events = events };
        using HistoryDatabase folder = new([Plan()]);

        Assert.Contains(": (inner+0x0/0x0 <- outer)", Tool.Good("events", history.Write(folder["caller.mpk"])), StringComparison.Ordinal);
    }

    [Fact]
    public void The_least_number_has_a_power_of_two()
    {
        using HistoryDatabase database = new([Plan(Call(0))]);

        Assert.Equal(
            "key,count\r\n\"(-2^64, -9223372036854775808]\",1\r\n",
            Tool.Good("hist", database.Source, "--key", "-9223372036854775807 - 1", "--log2", "--format", "csv"));
    }

    [Theory]
    [InlineData("at,7000001", "at,7000002", true)]
    [InlineData("\":7000001", "\":7000002", true)]
    [InlineData(-700_001L, -700_002L, true)]
    [InlineData(700_001L, 700_002L, true)]
    [InlineData(7_000_001L, 7_000_002L, false)]
    [InlineData(-7_000_001L, -7_000_002L, false)]
    public void Of_two_images_texts_and_numbers_of_up_to_six_digits_count(object a, object b, bool differs)
    {
        using HistoryDatabase folder = new([Plan()]);
        string[] traces = [With(a, "vmlinuz"), With(b, "other")];

        JsonElement diff = JsonDocument.Parse(Tool.Run("diff", traces[0], traces[1], "--format", "json").Output).RootElement;

        Assert.Equal(differs ? 1 : 0, diff.GetProperty("divergences").GetInt32());

        string With(object value, string image)
        {
            HistoryPlan plan = Plan(Call(0)) with { World = _world with { Image = image } };
            History history = HistorySimulation.Of(plan);
            return (history with { Events = [.. history.Events.Select(e => e with { Arguments = [value] })] }).Write(folder[image + ".mpk"]);
        }
    }

    [Fact]
    public void A_mean_that_moved_by_five_per_cent_is_a_shift()
    {
        // The call that takes 100 ns takes 105.
        using HistoryDatabase database = new([Plan(Call(0), Return(HistoryNaming.Time) with { Ns = 97 }), Plan(Call(0), Return(HistoryNaming.Time) with { Ns = 102 })]);

        JsonElement diff = JsonDocument.Parse(Tool.Run("diff", database.Source, database.Source, "--run-b", "2", "--format", "json").Output).RootElement;

        Assert.Equal(1, diff.GetProperty("latenciesChanged").GetInt32());
    }

    [Fact]
    public void Events_that_are_missing_before_the_last_console_line_are_said_to_be()
    {
        HistoryPlan plan = Plan(Call(0), Step(HistoryStepKind.Print)) with { Ended = null };
        using HistoryDatabase database = new([plan]);
        byte[] trace = File.ReadAllBytes(database.Source);
        HistoryFrame events = HistoryFrame.Of(trace).Single(static f => f.HasEvents);
        File.WriteAllBytes(database["gap.mpk"], [.. trace[..events.Offset], .. trace[(events.Offset + events.Length)..]]);

        (int exit, string output, string error) = Tool.Run("check", database["gap.mpk"]);

        Assert.Equal(1, exit);
        Assert.Contains("  events 1 to 1 are missing\n", output, StringComparison.Ordinal);
        Assert.Contains("1 events lost", error, StringComparison.Ordinal);
    }

    private static HistoryProbe Probe(int id, char type, string name, int function, params TraceArgument[] arguments) => new(
        new TraceProbe
        {
            Id = id,
            Type = type,
            Name = name,
            Symbol = function == 0 ? "outer" : "inner",
            Address = function == 0 ? HistoryGen.Kernel : Inner,
            Arguments = arguments,
        },
        function);

    private static HistoryPlan Plan(params HistoryStep[] steps) => new() { World = _world, Steps = steps };

    private static HistoryStep Step(HistoryStepKind kind) => new(kind) { Ns = 0 };

    private static HistoryStep Call(int function) => Step(HistoryStepKind.Call) with { Target = function };

    /// <summary>A call from the function itself, with its stack.</summary>
    private static HistoryStep From(int function) => Call(function) with { Parts = HistoryParts.Stack };

    private static HistoryStep Return(HistoryNaming naming) => Step(HistoryStepKind.Return) with { Naming = naming };
}
