namespace KprobeTrace.Devices.Interrupts;

/// <summary>A message between APICs.</summary>
/// <param name="Mode">What to deliver.</param>
/// <param name="Vector">The vector, or the page number of a start-up message.</param>
/// <param name="Destination">APIC id, or a logical destination.</param>
/// <param name="Logical">Whether <paramref name="Destination"/> is matched against the logical destination registers.</param>
/// <param name="LevelTriggered">Whether the end of interrupt is to be told to the I/O APICs.</param>
internal readonly record struct ApicMessage(
    ApicDeliveryMode Mode,
    byte Vector,
    byte Destination,
    bool Logical,
    bool LevelTriggered);
