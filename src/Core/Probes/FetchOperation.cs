namespace KprobeTrace.Probes;

/// <summary>The steps of a fetch-argument program.</summary>
internal enum FetchOperation : byte
{
    /// <summary>Loads the register whose index in the frame is the parameter.</summary>
    Register,

    /// <summary>Loads the stack word whose number is the parameter.</summary>
    StackWord,

    /// <summary>Loads a constant.</summary>
    Immediate,

    /// <summary>Loads the current process id.</summary>
    Pid,

    /// <summary>Loads the CPU's number.</summary>
    Cpu,

    /// <summary>Loads the count of retired instructions.</summary>
    Instructions,

    /// <summary>Replaces the value by the kernel word at value plus parameter.</summary>
    Dereference,

    /// <summary>Replaces the value by the user word at value plus parameter.</summary>
    DereferenceUser,

    /// <summary>Replaces the value by the <c>Size</c> bytes of kernel memory at value plus parameter.</summary>
    Load,

    /// <summary>Adds the parameter to the value.</summary>
    Add,

    /// <summary>Stores the low <c>Size</c> bytes of the value.</summary>
    StoreValue,

    /// <summary>Stores <c>Size</c> bytes of kernel memory at value plus parameter, <c>Count</c> times.</summary>
    StoreMemory,

    /// <summary>Stores <c>Size</c> bytes of user memory at value plus parameter, <c>Count</c> times.</summary>
    StoreUserMemory,

    /// <summary>Stores the kernel string at value plus parameter.</summary>
    StoreString,

    /// <summary>Stores the user string at value plus parameter.</summary>
    StoreUserString,

    /// <summary>Stores the strings that <c>Count</c> kernel pointers at value plus parameter point to.</summary>
    StoreStringArray,

    /// <summary>As <see cref="StoreStringArray"/>, the strings being in user memory.</summary>
    StoreUserStringArray,

    /// <summary>As <see cref="StoreUserStringArray"/>, the pointers being in user memory too.</summary>
    StoreUserPointerStringArray,

    /// <summary>Stores the symbol text of the value.</summary>
    StoreSymbolText,

    /// <summary>Stores the current task's name.</summary>
    StoreComm,

    /// <summary>Stores a constant text.</summary>
    StoreText,
}
