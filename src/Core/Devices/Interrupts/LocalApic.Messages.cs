namespace KprobeTrace.Devices.Interrupts;

/// <summary>Messages to and from other APICs: the interrupt command register and what arrives.</summary>
internal sealed partial class LocalApic
{
    private const uint ErrorSendIllegalVector = 1 << 5;
    private const uint ErrorReceiveIllegalVector = 1 << 6;
    private const uint ErrorIllegalRegister = 1 << 7;

    /// <summary>Whether a message's destination names this APIC (§11.6.2).</summary>
    internal bool IsDestinationOf(in ApicMessage message)
    {
        if (!IsGloballyEnabled)
        {
            return false;
        }

        byte destination = message.Destination;
        if (destination == 0xFF)
        {
            return true;
        }

        if (!message.Logical)
        {
            return destination == Id;
        }

        byte logical = (byte)(_state.LogicalDestination >> 24);
        bool isFlat = _state.DestinationFormat >> 28 == 0xF;
        return isFlat
            ? (destination & logical) != 0
            : destination >> 4 == logical >> 4 && (destination & logical & 0xF) != 0;
    }

    /// <summary>Takes a message that is addressed to this APIC.</summary>
    internal void Accept(in ApicMessage message)
    {
        switch (message.Mode)
        {
            case ApicDeliveryMode.Fixed:
            case ApicDeliveryMode.LowestPriority:
                AcceptVector(message.Vector, message.LevelTriggered);
                break;
            case ApicDeliveryMode.Smi:
                _processor.DeliverSmi();
                break;
            case ApicDeliveryMode.Nmi:
                _processor.DeliverNmi();
                break;
            case ApicDeliveryMode.Init:
                ClearState();
                _processor.DeliverInit();
                break;
            case ApicDeliveryMode.Startup:
                _processor.DeliverStartup(message.Vector);
                break;
            case ApicDeliveryMode.ExternalInterrupt:
                _state.ExternalLatched = true;
                Evaluate();
                break;
            default:
                break;
        }
    }

    private void AcceptVector(byte vector, bool levelTriggered)
    {
        if (!IsSoftwareEnabled)
        {
            return;
        }

        if (vector < 16)
        {
            ReportError(ErrorReceiveIllegalVector);
            return;
        }

        _state.InterruptRequest.Add(vector);
        if (levelTriggered)
        {
            _state.TriggerMode.Add(vector);
        }
        else
        {
            _state.TriggerMode.Remove(vector);
        }

        Evaluate();
    }

    private void EndOfInterrupt()
    {
        int vector = _state.InService.Highest;
        if (vector < 0)
        {
            return;
        }

        _state.InService.Remove(vector);
        if (_state.TriggerMode.Contains(vector))
        {
            _bus.BroadcastEndOfInterrupt((byte)vector);
        }

        Evaluate();
    }

    private void SendCommand()
    {
        ApicDeliveryMode mode = DeliveryMode(_state.CommandLow);
        bool isLevel = (_state.CommandLow & (1 << 15)) != 0;
        bool isAsserted = (_state.CommandLow & (1 << 14)) != 0;

        // INIT level de-assert only resynchronises arbitration ids, which nothing has had since the Pentium III.
        if (mode == ApicDeliveryMode.Init && isLevel && !isAsserted)
        {
            return;
        }

        byte vector = (byte)_state.CommandLow;
        if (mode is ApicDeliveryMode.Fixed or ApicDeliveryMode.LowestPriority && vector < 16)
        {
            ReportError(ErrorSendIllegalVector);
            return;
        }

        bool isLogical = (_state.CommandLow & (1 << 11)) != 0;
        ApicMessage message = new(mode, vector, (byte)(_state.CommandHigh >> 24), isLogical, false);
        switch ((_state.CommandLow >> 18) & 3)
        {
            case 0:
                _bus.Deliver(message);
                break;
            case 1:
                // The only modes that the manual allows towards oneself carry a vector.
                if (mode is ApicDeliveryMode.Fixed or ApicDeliveryMode.LowestPriority)
                {
                    AcceptVector(vector, false);
                }

                break;
            case 2:
                _bus.DeliverToAll(message, null);
                break;
            default:
                _bus.DeliverToAll(message, this);
                break;
        }
    }

    private void ReportError(uint error)
    {
        _state.Errors |= error;
        uint entry = _state.LocalVectorTable[LvtError];
        if ((entry & LvtMasked) == 0 && (byte)entry >= 16)
        {
            AcceptVector((byte)entry, false);
        }
    }
}
