using KprobeTrace.Devices.Saving;
using KprobeTrace.Devices.Timing;

namespace KprobeTrace.Tests.Devices.Saving;

/// <summary>Takes the state of one part into another that was made alike.</summary>
internal static class CarriedOver
{
    /// <summary>How many steps of a walk lie between two changes of its device for a new one.</summary>
    public const int Steps = 61;

    /// <summary>The second part, which goes on where the first stands.</summary>
    public static T Into<T>(this T from, T to)
        where T : IStateful
    {
        StateReader state = new("test", Bytes(from));
        to.Load(state);
        state.RequireEnd();
        return to;
    }

    /// <summary>A clock at the same time, without timers yet.</summary>
    public static TestTime Anew(this TestTime time)
    {
        TestTime later = new();
        later.Clock.Now = time.Clock.Now;
        return later;
    }

    /// <summary>A time that has the deadlines of another, once it has its timers.</summary>
    public static TestTime Into(this TestTime from, TestTime to)
    {
        _ = Into<EventClock>(from.Clock, to.Clock);
        return to;
    }

    /// <summary>What a part saves.</summary>
    public static byte[] Bytes(IStateful part)
    {
        StateWriter state = new();
        part.Save(state);
        return state.Written.ToArray();
    }
}
