namespace KprobeTrace.Devices.Timing;

/// <summary>The only time that devices know: nanoseconds of virtual time, derived from retired instructions.</summary>
internal interface IVirtualClock
{
    /// <summary>Virtual time in nanoseconds since the machine was switched on; exact in the middle of an instruction that touches a device.</summary>
    public long Now { get; }

    /// <summary>Makes a timer that calls <paramref name="expired"/> when the clock reaches its deadline.</summary>
    public IVirtualTimer CreateTimer(Action expired);
}
