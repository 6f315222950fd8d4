namespace KprobeTrace.Devices.Interrupts;

/// <summary>Carries messages between the local APICs and the I/O APICs of a machine.</summary>
internal sealed class ApicBus
{
    private LocalApic[] _locals = [];
    private IoApic[] _ioApics = [];

    /// <summary>Connects a processor's local APIC.</summary>
    public void Attach(LocalApic apic)
    {
        ArgumentNullException.ThrowIfNull(apic);
        _locals = [.. _locals, apic];
    }

    /// <summary>Connects an I/O APIC, which then hears ends of interrupt.</summary>
    public void Attach(IoApic apic)
    {
        ArgumentNullException.ThrowIfNull(apic);
        _ioApics = [.. _ioApics, apic];
    }

    /// <summary>Delivers a message to every local APIC that its destination names.</summary>
    /// <remarks>
    /// A lowest-priority message goes to the one destination with the lowest processor priority; among equals to the
    /// one attached first, because an arbitration that rotates would buy nothing and has to be repeatable.
    /// </remarks>
    public void Deliver(in ApicMessage message)
    {
        if (message.Mode == ApicDeliveryMode.LowestPriority)
        {
            LocalApic? chosen = null;
            foreach (LocalApic apic in _locals)
            {
                if (apic.IsSoftwareEnabled && apic.IsDestinationOf(message)
                    && (chosen is null || apic.ProcessorPriority < chosen.ProcessorPriority))
                {
                    chosen = apic;
                }
            }

            chosen?.Accept(message);
            return;
        }

        foreach (LocalApic apic in _locals)
        {
            if (apic.IsDestinationOf(message))
            {
                apic.Accept(message);
            }
        }
    }

    /// <summary>Delivers a message to every local APIC, or to every one but <paramref name="except"/>.</summary>
    internal void DeliverToAll(in ApicMessage message, LocalApic? except)
    {
        foreach (LocalApic apic in _locals)
        {
            if (apic != except)
            {
                apic.Accept(message);
            }
        }
    }

    /// <summary>Tells the I/O APICs that a level-triggered interrupt was ended.</summary>
    internal void BroadcastEndOfInterrupt(byte vector)
    {
        foreach (IoApic apic in _ioApics)
        {
            apic.EndOfInterrupt(vector);
        }
    }
}
