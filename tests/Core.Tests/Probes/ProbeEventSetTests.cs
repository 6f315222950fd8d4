using KprobeTrace.Probes;
using Xunit;

namespace KprobeTrace.Tests.Probes;

public sealed class ProbeEventSetTests
{
    private readonly ProbeEventSet _events = new(new FakeProbeTarget());

    [Fact]
    public void E01_a_definition_makes_its_event()
    {
        Define("p:myevent fn");

        Assert.NotNull(_events.Find("kprobes", "myevent"));
        Assert.NotNull(_events.Find("myevent"));
        Assert.NotNull(_events.Find("kprobes/myevent"));
        Assert.Null(_events.Find("other/myevent"));
    }

    [Fact]
    public void E09_second_definition_of_an_event_appends()
    {
        Define("p:ev fn a=%ax");
        Define("p:ev nextfn a=%ax");

        ProbeEvent single = Assert.Single(_events.Events);
        Assert.Equal(2, single.Probes.Count);
    }

    [Theory]
    [InlineData("r:ev nextfn a=%ax", "Probe type is different from existing probe", 0)]
    [InlineData("p:ev nextfn b=%ax", "Argument type or name is different from existing probe", 12)]
    [InlineData("p:ev nextfn a=%ax:u8", "Argument type or name is different from existing probe", 12)]
    [InlineData("p:ev nextfn", "Argument type or name is different from existing probe", 12)]
    [InlineData("p:ev nextfn a=%ax b=%bx", "Argument type or name is different from existing probe", 18)]
    [InlineData("p:ev fn a=%ax", "There is already the exact same probe event", 0)]
    public void E09_probes_of_one_event_must_agree(string line, string text, int column)
    {
        Define("p:ev fn a=%ax");

        Assert.False(_events.Apply(line, out _, out ProbeError? error));

        Assert.Equal(text, error.Message);
        Assert.Equal(column, error.Column);
        Assert.Equal(ProbeErrno.Exists, error.Errno);
        Assert.Single(_events.Events[0].Probes);
    }

    [Theory]
    [InlineData("r:ev fn arg1=@nosuch", "Probe type is different from existing probe")]
    [InlineData("p:ev fn b=@nosuch", "Argument type or name is different from existing probe")]
    [InlineData("p:ev fn a=@nosuch", "Invalid probed address or symbol")]
    [InlineData("p:new fn a=@nosuch", "Invalid probed address or symbol")]
    [InlineData("p:ev nosuch b=%ax", "Invalid probed address or symbol")]
    public void E09_symbols_of_arguments_are_looked_up_after_the_event_was_found_to_agree(string line, string text)
    {
        Define("p:ev fn a=%ax");

        Assert.False(_events.Apply(line, out ProbeDefinition? added, out ProbeError? error));

        Assert.Equal(text, error.Message);
        Assert.Null(added);
        Assert.Single(Assert.Single(_events.Events).Probes);
    }

    [Fact]
    public void Deleting_a_misspelt_event_asks_for_the_right_one()
    {
        Define("p:opened fn");

        Assert.False(_events.Apply("-:openned", out _, out ProbeError? error));

        Assert.Equal("no such event; did you mean opened?", error.Detail);
    }

    [Fact]
    public void E09_deleting_by_name_removes_all_and_by_place_one()
    {
        Define("p:ev fn a=%ax");
        Define("p:ev nextfn a=%ax");
        Define("p:other fn");

        Define("-:ev nextfn a=%ax");
        Assert.Equal("fn", Assert.Single(_events.Find("ev")!.Probes).Place.Symbol);

        Define("p:ev nextfn a=%ax");
        Define("-:ev");
        Assert.Null(_events.Find("ev"));
        Assert.NotNull(_events.Find("other"));
    }

    [Fact]
    public void Deleting_a_group_removes_its_events()
    {
        Define("p:g/a fn");
        Define("p:g/b fn");
        Define("p:h/a fn");

        Define("-:g/");

        Assert.Equal("h", Assert.Single(_events.Events).Group);
    }

    [Theory]
    [InlineData("-:nosuch", ProbeErrno.NoEntry)]
    [InlineData("-ev", ProbeErrno.Invalid)]
    [InlineData("-:", ProbeErrno.Invalid)]
    public void Deleting_what_is_not_there_is_refused(string line, ProbeErrno errno)
    {
        Define("p:ev fn");

        Assert.False(_events.Apply(line, out _, out ProbeError? error));

        Assert.Equal(errno, error.Errno);
        Assert.Single(_events.Events);
    }

    [Fact]
    public void Name_of_another_event_is_refused()
    {
        _events.Reserve("sched", "sched_switch");

        Assert.False(_events.Apply("p:sched/sched_switch fn", out _, out ProbeError? error));

        Assert.Equal("Given group/event name is already used by another event", error.Message);
        Assert.Equal(ProbeErrno.Exists, error.Errno);
        Assert.Equal(0, error.Column);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   # nothing")]
    public void Blank_lines_and_comments_define_nothing(string line)
    {
        Assert.True(_events.Apply(line, out ProbeDefinition? added, out _));
        Assert.Null(added);
    }

    [Fact]
    public void Bad_filter_leaves_the_event_unfiltered()
    {
        Define("p:ev fn a=%ax");
        ProbeEvent single = _events.Events[0];
        single.SetFilter("a == 1");
        Assert.NotNull(single.Filter);

        Assert.Throws<ProbeSyntaxException>(() => single.SetFilter("nosuch == 1"));
        Assert.Null(single.Filter);

        single.SetFilter("a == 1");
        single.SetFilter("0");
        Assert.Null(single.Filter);
    }

    private void Define(string line)
    {
        bool accepted = _events.Apply(line, out _, out ProbeError? error);
        Assert.True(accepted, error?.ToString());
    }
}
