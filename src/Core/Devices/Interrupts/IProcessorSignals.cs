namespace KprobeTrace.Devices.Interrupts;

/// <summary>What a local APIC tells its processor. Every call takes effect before the next instruction.</summary>
internal interface IProcessorSignals
{
    /// <summary>
    /// The level of the interrupt request changed. While it is true and interrupts are enabled, the processor calls
    /// <c>LocalApic.AcknowledgeInterrupt</c> and delivers the vector it returns.
    /// </summary>
    public void SetInterruptPending(bool pending);

    /// <summary>A non-maskable interrupt arrived.</summary>
    public void DeliverNmi();

    /// <summary>A system management interrupt arrived.</summary>
    public void DeliverSmi();

    /// <summary>An INIT arrived: the processor resets and waits for a start-up message, or begins anew when it is the bootstrap processor.</summary>
    public void DeliverInit();

    /// <summary>A start-up message arrived; a processor that waits for one begins in real mode at <paramref name="vector"/> &lt;&lt; 12.</summary>
    public void DeliverStartup(byte vector);
}
