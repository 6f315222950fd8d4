using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>The 16 interrupt lines of a PC, each wired to the 8259 pair and to the I/O APIC.</summary>
/// <remarks>
/// Line n goes to input n of both, except that line 0 (the timer) goes to input 2 of the I/O APIC, as the interrupt
/// source override in the MADT tells the guest. Line 2 is the cascade and goes nowhere.
/// </remarks>
internal sealed class IsaInterrupts : IStateful
{
    private readonly InterruptLine[] _lines = new InterruptLine[16];

    /// <summary>Makes the lines.</summary>
    public IsaInterrupts(Pic8259Pair pic, IoApic ioApic)
    {
        ArgumentNullException.ThrowIfNull(pic);
        ArgumentNullException.ThrowIfNull(ioApic);
        for (int i = 0; i < _lines.Length; i++)
        {
            _lines[i] = new InterruptLine();
            if (i != Pic8259Pair.CascadeInput)
            {
                _lines[i].Connect(pic, i);
                _lines[i].Connect(ioApic, i == 0 ? 2 : i);
            }
        }
    }

    /// <summary>The line of an interrupt request number, 0 to 15.</summary>
    public InterruptLine this[int irq] => _lines[irq];

    /// <inheritdoc/>
    public void Save(StateWriter to) => Array.ForEach(_lines, line => line.Save(to));

    /// <inheritdoc/>
    public void Load(StateReader from) => Array.ForEach(_lines, line => line.Load(from));
}
