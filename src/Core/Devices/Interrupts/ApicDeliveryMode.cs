namespace KprobeTrace.Devices.Interrupts;

/// <summary>Delivery modes of APIC messages and local vector table entries (Intel SDM vol. 3A §11.5.1, §11.6.1).</summary>
internal enum ApicDeliveryMode
{
    /// <summary>The vector, at every destination.</summary>
    Fixed = 0,

    /// <summary>The vector, at the destination that runs at the lowest priority.</summary>
    LowestPriority = 1,

    /// <summary>System management interrupt.</summary>
    Smi = 2,

    /// <summary>Non-maskable interrupt.</summary>
    Nmi = 4,

    /// <summary>Processor reset.</summary>
    Init = 5,

    /// <summary>Start-up of a processor that waits after INIT.</summary>
    Startup = 6,

    /// <summary>The vector comes from the 8259 pair.</summary>
    ExternalInterrupt = 7,
}
