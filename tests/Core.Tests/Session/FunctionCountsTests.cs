using KprobeTrace.Machine;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Recording;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Session;

/// <summary>How often functions begin, counted without probes.</summary>
public sealed class FunctionCountsTests
{
    private const ulong Copy = 0x30_0000;

    [Fact]
    public void Every_function_has_the_number_of_its_calls_and_those_at_one_address_the_same()
    {
        using Recorder recorder = RecordedGuest.Open(
            Guest(), new RecordingOptions { Image = "", Probes = ["p nowhere"] }, $"{Copy:x16} T copied", "0000000000100000 T alias");
        GuestSession session = recorder.Session;
        using FunctionCounts counts = new(session, session.Symbols.All().Where(s => s.IsText).Reverse());

        Assert.All(counts.Counts(), f => Assert.Equal(0, f.Count));
        Assert.Equal(PowerState.Exited, session.Machine.Run(10_000));

        (Symbol Function, long Count)[] all = [.. counts.Counts()];
        Assert.Equal(all.OrderBy(f => f.Function.Address).Select(f => f.Function.Address), all.Select(f => f.Function.Address));
        Dictionary<string, long> byName = all.ToDictionary(f => f.Function.Name, f => f.Count);
        Assert.Equal((1L, 1L, 3L, 5L, 0L, 4L), (byName["start"], byName["alias"], byName["three"], byName["five"], byName["nowhere"], byName["copied"]));
        Assert.Equal(3, byName["second_of_three"]);
    }

    [Fact]
    public void Only_functions_that_are_asked_for_are_counted()
    {
        using Recorder recorder = RecordedGuest.Open(Guest(), new RecordingOptions { Image = "", Probes = ["p nowhere"] });
        GuestSession session = recorder.Session;
        using FunctionCounts counts = new(session, session.Symbols.FindAll("five"));

        session.Machine.Run(10_000);

        Assert.Equal([("five", 5L)], counts.Counts().Select(f => (f.Function.Name, f.Count)));
    }

    [Fact]
    public void Without_functions_there_is_nothing_to_count()
    {
        using Recorder recorder = RecordedGuest.Open(Guest(), new RecordingOptions { Image = "", Probes = ["p nowhere"] });
        using FunctionCounts counts = new(recorder.Session, []);

        Assert.Equal(PowerState.Exited, recorder.Session.Machine.Run(10_000));
        Assert.Empty(counts.Counts());
    }

    [Fact]
    public void A_limit_in_the_middle_leaves_the_counts_so_far()
    {
        using Recorder recorder = RecordedGuest.Open(Guest(), new RecordingOptions { Image = "", Probes = ["p nowhere"] });
        GuestSession session = recorder.Session;
        using FunctionCounts counts = new(session, session.Symbols.FindAll("three"));
        session.Machine.Run(3);

        Assert.Equal(1, Assert.Single(counts.Counts()).Count);
    }

    /// <summary>Calls one function three times, one five times, a copy of it outside of the image four times, and one never.</summary>
    private static FlatGuest Guest()
    {
        FlatGuest guest = new();
        guest.Mark("start").Code.mov(rsp, 0x70_0000);
        for (int i = 0; i < 3; i++)
        {
            guest.Code.call(guest.At("three"));
        }

        for (int i = 0; i < 5; i++)
        {
            guest.Code.call(guest.At("five"));
        }

        guest.Code.mov(rax, Copy);
        guest.Code.mov(__byte_ptr[rax], 0xC3);
        for (int i = 0; i < 4; i++)
        {
            guest.Code.call(rax);
        }

        guest.Exit();
        guest.Mark("three").Code.nop();
        guest.Mark("second_of_three").Code.ret();
        guest.Mark("five").Code.ret();
        guest.Mark("nowhere").Code.nop();
        return guest;
    }
}
