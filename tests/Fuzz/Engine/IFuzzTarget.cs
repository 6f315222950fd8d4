namespace KprobeTrace.Fuzz.Engine;

/// <summary>Something that reads what nobody vouches for.</summary>
internal interface IFuzzTarget
{
    /// <summary>What command lines and files of inputs call it.</summary>
    public string Name { get; }

    /// <summary>What it feeds to whom, in one line.</summary>
    public string Summary { get; }

    /// <summary>Makes an input; the same for the same random numbers.</summary>
    public byte[] Generate(FuzzRandom random);

    /// <summary>
    /// Runs an input. Any exception but <see cref="KprobeTraceException"/> is a failure; a broken invariant is an
    /// <see cref="InvariantException"/>.
    /// </summary>
    public void Run(byte[] input);
}
