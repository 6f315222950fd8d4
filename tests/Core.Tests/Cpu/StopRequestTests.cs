using System.Globalization;
using KprobeTrace.Cpu;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Whatever the guest does, the host can end the run at once, and what retires nothing for ever ends by itself.</summary>
public sealed unsafe class StopRequestTests
{
    /// <summary>Milliseconds of the processor's time that may pass from the request to the end of the run.</summary>
    private const double MostMilliseconds = 200;

    public static TheoryData<string> Operations => [.. LongOperations.Names];

    [Theory]
    [MemberData(nameof(Operations))]
    public void Any_long_operation_ends_soon_after_a_request(string name)
    {
        using TestGuest guest = LongOperations.Create(name);

        double late = StopAfter(guest, milliseconds: 50);

        Assert.True(late < MostMilliseconds, $"{late:F0} ms from the request to the end");
        Assert.False(guest.Processor.ShutDown || guest.Processor.HaltedForGood, "the guest ended by itself");
    }

    [Theory]
    [InlineData("rep lodsb")]
    [InlineData("rep insb")]
    [InlineData("rep movsd to device registers")]
    [InlineData("rep lodsb with a breakpoint on it")]
    [InlineData("rep lodsb after sti")]
    public void A_stopped_repetition_goes_on_where_it_stopped(string name)
    {
        using TestGuest guest = LongOperations.Create(name);
        ulong before = guest.Rcx;
        for (int i = 1; i <= 3; i++)
        {
            do
            {
                // On a busy host the request may come before the first element.
                guest.Processor.StopRequested = false;
                _ = StopAfter(guest, milliseconds: 20);
            }
            while (guest.Rcx == before && !guest.Processor.IsStuck);

            Assert.False(guest.Processor.IsStuck);
            Assert.True(guest.Rcx < before);
            Assert.Equal(name == "rep lodsb after sti" ? 1 : 0, guest.Processor.Retired);
            Assert.Equal(name == "rep lodsb after sti" ? 1 : 0, guest.State->InterruptShadow);
            before = guest.Rcx;
        }
    }

    [Fact]
    public void A_guest_whose_exceptions_retire_nothing_is_stuck()
    {
        using TestGuest guest = new();
        LongOperations.UndefinedHandler(guest);

        guest.Processor.Run(1000);

        Assert.True(guest.Processor.IsStuck);
        Assert.Equal((TestGuest.Code, 0L), (guest.State->Rip, guest.Processor.Retired));
        guest.Processor.Reset();
        Assert.False(guest.Processor.IsStuck);
    }

    [Fact]
    public void A_processor_that_wakes_for_nothing_is_stuck()
    {
        using TestGuest guest = new();
        LongOperations.MaskedTimer(guest);

        guest.Processor.Run(1000);

        Assert.True(guest.Processor.IsStuck);
        Assert.Equal((TestGuest.Code + 2, 2L), (guest.State->Rip, guest.Processor.Retired));
        Assert.InRange(guest.Processor.Now, Processor.MaxWithoutProgress - 10, Processor.MaxWithoutProgress + 10);
    }

    [Fact]
    public void A_repetition_longer_than_memory_is_stuck()
    {
        using TestGuest guest = LongOperations.Create("rep stosq");
        ulong before = guest.Rcx;

        guest.Processor.Run(1000);

        Assert.True(guest.Processor.IsStuck);
        Assert.Equal((TestGuest.Code, 0L), (guest.State->Rip, guest.Processor.Retired));
        Assert.InRange((long)(before - guest.Rcx), Processor.MaxRepeatedElements, Processor.MaxRepeatedElements + (1 << 17));
    }

    [Fact]
    public void Wake_ups_and_deliveries_with_an_instruction_in_between_are_no_end()
    {
        using TestGuest guest = LongOperations.Create("hlt with interrupts that go on for ever");

        guest.Processor.Run(3L * Processor.MaxWithoutProgress);

        Assert.False(guest.Processor.IsStuck);
        Assert.Equal(3L * Processor.MaxWithoutProgress, guest.Processor.Retired);
    }

    /// <summary>
    /// Runs a guest in a thread of its own, and asks it to stop when it has had so much of the processor's time; a timer of the
    /// thread pool would come when other tests leave it a thread. Returns the milliseconds of that time from the request to the end.
    /// </summary>
    private static double StopAfter(TestGuest guest, double milliseconds)
    {
        double ended = 0;
        string clock = "";
        using ManualResetEventSlim started = new();
        Thread thread = new(() =>
        {
            clock = $"/proc/self/task/{Path.GetFileName(File.ResolveLinkTarget("/proc/thread-self", false)!.FullName)}/schedstat";
            started.Set();
            guest.Processor.Run();
            ended = Milliseconds(clock);
        })
        { IsBackground = true };
        thread.Start();
        started.Wait();
        WaitUntilBusy(thread, clock, milliseconds);

        double asked = thread.IsAlive ? Milliseconds(clock) : 0;
        guest.Processor.StopRequested = true;
        Assert.True(thread.Join(TimeSpan.FromMinutes(1)), "the run goes on");
        return ended - asked;
    }

    private static double Milliseconds(string clock) =>
        double.Parse(File.ReadAllText(clock).Split(' ')[0], CultureInfo.InvariantCulture) / 1e6;

    private static void WaitUntilBusy(Thread thread, string clock, double milliseconds)
    {
        double start = Milliseconds(clock);
        while (thread.IsAlive)
        {
            Thread.Sleep(5);
            try
            {
                if (Milliseconds(clock) - start > milliseconds)
                {
                    return;
                }
            }
            catch (IOException) when (!thread.IsAlive)
            {
                // It ended between the question and the look: a guest that got stuck.
            }
        }
    }
}
