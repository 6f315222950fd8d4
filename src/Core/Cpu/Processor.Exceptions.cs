using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu;

/// <content>Delivery of exceptions and interrupts through the IDT of IA-32e mode (Intel SDM vol. 3A §6.14).</content>
internal sealed unsafe partial class Processor
{
    /// <summary>What the error code's bit 0 says: the event was not caused by the program.</summary>
    private const uint External = 1;

    /// <summary>Value of <see cref="CpuState.FaultIsSoftware"/>: INT n, INT3, INTO, which need a gate of their privilege.</summary>
    private const byte CheckedSoftware = 1;

    /// <summary>Delivers the pending fault, turning a fault met on the way into a double fault or a shutdown.</summary>
    private void DeliverFault()
    {
        CpuState* s = State;
        if (s->FaultIsSoftware != 0 && TryDeliverSoftware())
        {
            return;
        }

        byte vector = s->FaultVector;
        uint error = s->FaultErrorCode;
        if (vector == Vector.PageFault)
        {
            s->Cr2 = s->FaultAddress;
        }

        ClearFault();
        if (vector != Vector.Debug)
        {
            // What a faulting instruction touched before its fault, it will touch again.
            State->PendingDebug = 0;
        }

        while (!TryDeliver(vector, error, software: false, Vector.HasErrorCode(vector)))
        {
            byte second = s->FaultVector;
            uint secondError = s->FaultErrorCode;
            if (second == Vector.PageFault)
            {
                s->Cr2 = s->FaultAddress;
            }

            ClearFault();
            if (vector == Vector.DoubleFault)
            {
                State->ShutDown = 1;
                s->ExitRequest = 1;
                return;
            }

            bool serial = !IsDouble(vector, second);
            vector = serial ? second : Vector.DoubleFault;
            error = serial ? secondError : 0;
        }
    }

    /// <summary>
    /// Delivers what INT n, INT3, INTO or INT1 raised. When that faults, the instruction itself has faulted: it has not retired,
    /// and an ordinary fault is pending (no contributory one, whatever the vector of the interrupt was).
    /// </summary>
    private bool TryDeliverSoftware()
    {
        CpuState* s = State;
        byte vector = s->FaultVector;
        bool checksGate = s->FaultIsSoftware == CheckedSoftware;
        ulong ip = s->FaultAddress;
        ClearFault();
        _trapFlagDecided = true;
        if (TryDeliver(vector, 0, checksGate, hasError: false))
        {
            if (vector == Vector.Debug && !checksGate)
            {
                JoinHeldDebug();
            }

            return true;
        }

        s->Rip = ip;
        s->Left++;
        return false;
    }

    /// <summary>Delivers an external interrupt or an NMI at an instruction boundary.</summary>
    private void DeliverInterrupt(int vector)
    {
        if (!TryDeliver((byte)vector, 0, software: false, hasError: false))
        {
            State->FaultErrorCode |= State->FaultVector == Vector.PageFault ? 0 : External;
            DeliverFault();
        }
    }

    private static bool IsDouble(byte first, byte second) =>
        first == Vector.PageFault
            ? second == Vector.PageFault || Vector.IsContributory(second)
            : Vector.IsContributory(first) && Vector.IsContributory(second);

    private void ClearFault()
    {
        State->FaultVector = Vector.None;
        State->FaultIsSoftware = 0;
        State->FaultFromOverlay = 0;
    }

    private bool TryDeliver(byte vector, uint errorCode, bool software, bool hasError)
    {
        CpuState* s = State;
        s->Halted = 0;
        _deliveries++;
        if (!s->InLongMode)
        {
            return Refuse(Vector.DoubleFault, 0);
        }

        uint entryError = ((uint)vector * 8) + 2;
        uint external = software ? 0 : External;
        ulong* gate = stackalloc ulong[2];
        if (((uint)vector * 16) + 15 > s->IdtLimit)
        {
            return RefuseEntry(Vector.GeneralProtection, entryError | external);
        }

        if (!TryReadSystem(s->IdtBase + ((ulong)vector * 16), gate, 16))
        {
            return false;
        }

        int type = (int)(gate[0] >> 40) & 0x1F;
        int dpl = (int)(gate[0] >> 45) & 3;
        if ((type != 0xE && type != 0xF) || (software && s->Cpl > dpl))
        {
            return RefuseEntry(Vector.GeneralProtection, entryError | external);
        }

        if ((gate[0] & (1UL << 47)) == 0)
        {
            return RefuseEntry(Vector.SegmentNotPresent, entryError | external);
        }

        ushort selector = (ushort)(gate[0] >> 16);
        if (!TryCheckHandler(selector, external, out Segment code, out ulong descriptor, out int newCpl))
        {
            return false;
        }

        int ist = (int)(gate[0] >> 32) & 7;
        if (!TryFindStack(newCpl, ist, external, out ulong sp))
        {
            return false;
        }

        ulong target = (gate[0] & 0xFFFF) | ((gate[0] >> 32) & 0xFFFF0000) | (gate[1] << 32);
        ulong flags = LazyFlags.Get(s);
        int count = hasError ? 6 : 5;
        ulong* frame = stackalloc ulong[6];
        int at = 0;
        if (hasError)
        {
            frame[at++] = errorCode;
        }

        frame[at++] = s->Rip - CodeBase;
        frame[at++] = s->Segments.Cs.Selector;
        frame[at++] = IsFaultClass(vector, software) ? flags | Rflags.RF : flags;
        frame[at++] = s->R[Registers.Rsp];
        frame[at] = s->Segments.Ss.Selector;
        sp = (sp & ~15UL) - (ulong)(count * 8);
        if (!PageWalker.IsCanonical(sp))
        {
            return RefuseEntry(Vector.StackFault, external);
        }

        if (!PageWalker.IsCanonical(target))
        {
            return RefuseEntry(Vector.GeneralProtection, external);
        }

        PageAccess access = (s->SystemFlags & Rflags.AC) != 0 ? _walkBits : _systemAccess;
        if (!TryMarkAccessed(selector, descriptor) || !TryWriteAs(access, sp, frame, count * 8))
        {
            return false;
        }

        // The handler's first instruction finds the trap of a data breakpoint on its frame.
        NoteDataAccess(sp, count * 8, write: true);
        if (newCpl != s->Cpl)
        {
            s->Segments.Ss = new Segment { Selector = (ushort)newCpl, Attributes = (ushort)((newCpl << 5) | 0x93) };
        }

        s->R[Registers.Rsp] = sp;
        s->Segments.Cs = code;
        s->Cpl = newCpl;
        s->Rip = target;
        ulong cleared = Rflags.TF | Rflags.NT | Rflags.RF | Rflags.VM | (type == 0xE ? Rflags.IF : 0);
        s->SystemFlags &= ~cleared;
        if (vector == Vector.Debug)
        {
            s->Dr[7] &= ~DebugGeneralDetect;
        }

        UpdateMode();
        return true;
    }

    private bool TryCheckHandler(ushort selector, uint external, out Segment code, out ulong descriptor, out int newCpl)
    {
        CpuState* s = State;
        code = default;
        descriptor = 0;
        newCpl = s->Cpl;
        if ((selector & ~3) == 0)
        {
            return RefuseEntry(Vector.GeneralProtection, external);
        }

        if (!TryReadDescriptor(selector, Vector.GeneralProtection, out descriptor))
        {
            s->FaultErrorCode |= s->FaultVector == Vector.PageFault ? 0 : external;
            return false;
        }

        ushort attributes = Attributes(descriptor);
        int dpl = (attributes >> 5) & 3;
        bool is64Bit = (attributes & (Segment.Code64 | Segment.Big)) == Segment.Code64;
        if ((attributes & 0x18) != 0x18 || dpl > s->Cpl || !is64Bit)
        {
            return RefuseEntry(Vector.GeneralProtection, (selector & 0xFFFCu) | external);
        }

        if ((attributes & Segment.Present) == 0)
        {
            return RefuseEntry(Vector.SegmentNotPresent, (selector & 0xFFFCu) | external);
        }

        newCpl = (attributes & 4) != 0 ? s->Cpl : dpl;
        code = FromDescriptor((ushort)((selector & ~3) | newCpl), descriptor);
        return true;
    }

    private bool TryFindStack(int newCpl, int ist, uint external, out ulong sp)
    {
        CpuState* s = State;
        sp = s->R[Registers.Rsp];
        if (ist == 0 && newCpl == s->Cpl)
        {
            return true;
        }

        uint offset = ist != 0 ? 36u + ((uint)(ist - 1) * 8) : 4u + ((uint)newCpl * 8);
        if (offset + 7 > s->Tr.Limit)
        {
            return RefuseEntry(Vector.InvalidTss, (s->Tr.Selector & 0xFFFCu) | external);
        }

        ulong value;
        if (!TryReadSystem(s->Tr.Base + offset, &value, 8))
        {
            return false;
        }

        sp = value;
        return true;
    }

    private bool RefuseEntry(byte vector, uint errorCode)
    {
        State->FaultVector = vector;
        State->FaultErrorCode = errorCode;
        return false;
    }

    /// <summary>Faults push RF set, so that an instruction breakpoint does not fire again when the instruction is restarted.</summary>
    private static bool IsFaultClass(byte vector, bool software) =>
        !software && vector < 32 && vector is not (Vector.Debug or Vector.Nmi or Vector.Breakpoint or Vector.Overflow or Vector.DoubleFault or Vector.MachineCheck);
}
