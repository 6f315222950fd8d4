using KprobeTrace.Devices.Timing;
using Xunit;

namespace KprobeTrace.Tests.Devices.Timing;

public sealed class EventClockTests
{
    [Fact]
    public void Runs_timers_by_deadline_and_then_by_creation()
    {
        EventClock clock = new();
        List<string> order = [];
        IVirtualTimer first = clock.CreateTimer(() => order.Add("first"));
        IVirtualTimer second = clock.CreateTimer(() => order.Add("second"));
        IVirtualTimer third = clock.CreateTimer(() => order.Add("third"));

        third.Arm(20);
        second.Arm(30);
        first.Arm(30);
        clock.RunDue(30);

        Assert.Equal(["third", "first", "second"], order);
        Assert.Equal(long.MaxValue, clock.NextDeadline);
        Assert.False(first.Armed);
    }

    [Fact]
    public void Does_not_run_a_timer_before_its_deadline_or_after_it_was_cancelled()
    {
        EventClock clock = new();
        int runs = 0;
        IVirtualTimer timer = clock.CreateTimer(() => runs++);

        timer.Arm(10);
        clock.RunDue(9);
        Assert.Equal(0, runs);
        Assert.Equal(10, clock.NextDeadline);

        timer.Cancel();
        clock.RunDue(100);
        Assert.Equal(0, runs);
    }

    [Fact]
    public void Moves_the_next_deadline_when_the_earliest_timer_is_armed_later()
    {
        EventClock clock = new();
        IVirtualTimer a = clock.CreateTimer(() => { });
        IVirtualTimer b = clock.CreateTimer(() => { });
        a.Arm(10);
        b.Arm(20);

        a.Arm(30);
        Assert.Equal(20, clock.NextDeadline);

        b.Cancel();
        Assert.Equal(30, clock.NextDeadline);
    }

    [Fact]
    public void A_timer_can_arm_itself_from_its_callback()
    {
        EventClock clock = new();
        List<long> runs = [];
        IVirtualTimer? timer = null;
        timer = clock.CreateTimer(() =>
        {
            runs.Add(runs.Count);
            timer!.Arm((runs.Count + 1) * 10);
        });
        timer.Arm(10);

        clock.RunDue(35);

        Assert.Equal(3, runs.Count);
        Assert.Equal(40, clock.NextDeadline);
    }

    [Fact]
    public void Tells_of_a_deadline_that_comes_before_all_others()
    {
        EventClock clock = new();
        List<long> told = [];
        clock.DeadlineMovedEarlier = told.Add;
        IVirtualTimer a = clock.CreateTimer(() => { });
        IVirtualTimer b = clock.CreateTimer(() => { });

        a.Arm(50);
        b.Arm(60);
        b.Arm(40);

        Assert.Equal([50, 40], told);
    }

    [Fact]
    public void Asks_its_source_for_the_time()
    {
        long now = 5;
        EventClock clock = new(() => now);

        now = 7;

        Assert.Equal(7, clock.Now);
    }

    [Fact]
    public void Holds_more_timers_than_it_began_with()
    {
        EventClock clock = new();
        int runs = 0;
        for (int i = 0; i < 20; i++)
        {
            clock.CreateTimer(() => runs++).Arm(i);
        }

        clock.RunDue(19);

        Assert.Equal(20, runs);
    }
}
