namespace KprobeTrace.Probes;

/// <summary>Where a filter's field comes from.</summary>
internal enum FilterField : byte
{
    /// <summary>A fetched argument.</summary>
    Argument,

    /// <summary>The probe's address: <c>__probe_ip</c>, <c>__probe_func</c>.</summary>
    ProbeAddress,

    /// <summary>The address a function returns to: <c>__probe_ret_ip</c>.</summary>
    ReturnAddress,

    /// <summary>A common field that is always 0 here.</summary>
    Zero,

    /// <summary><c>common_pid</c>.</summary>
    Pid,

    /// <summary><c>cpu</c>.</summary>
    Cpu,

    /// <summary><c>comm</c>.</summary>
    Comm,
}
