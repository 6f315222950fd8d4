namespace KprobeTrace.Devices.Timing;

/// <summary>A one-shot alarm on the virtual clock; a device that wants a period arms it again from its callback.</summary>
internal interface IVirtualTimer
{
    /// <summary>Whether the timer waits for its deadline.</summary>
    public bool Armed { get; }

    /// <summary>The virtual time, in nanoseconds, at which the timer expires; <see cref="long.MaxValue"/> when it is not armed.</summary>
    public long Deadline { get; }

    /// <summary>
    /// Sets or moves the deadline. A deadline that is not after the present expires before the next instruction.
    /// </summary>
    /// <param name="deadline">Virtual time in nanoseconds.</param>
    public void Arm(long deadline);

    /// <summary>Takes the deadline back; the callback does not run. Does nothing when the timer is not armed.</summary>
    public void Cancel();
}
