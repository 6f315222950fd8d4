using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu;

/// <content>Model-specific registers, I/O ports and CR0: what a processor has of its own, and what it asks the machine for.</content>
internal sealed unsafe partial class Processor
{
    /// <summary>Virtual time in ns: retired instructions plus what HLT skipped; exact also while a device is called.</summary>
    public long Now => Retired + State->IdleTime;

    /// <summary>Instructions retired so far; exact also while a device is called.</summary>
    public long Retired => _currentOp != null ? Flow.RetiredBefore(State, _currentOp) : State->Retired;

    /// <summary>Reads a port for an instruction.</summary>
    internal uint ReadPort(Op* op, ushort port, int size)
    {
        _currentOp = op;
        NotePortAccess(port, size);
        uint value = _bus.ReadPort(port, size);
        _currentOp = null;
        State->ExitRequest = 1;
        return value;
    }

    /// <summary>Writes a port for an instruction.</summary>
    internal void WritePort(Op* op, ushort port, uint value, int size)
    {
        _currentOp = op;
        NotePortAccess(port, size);
        _bus.WritePort(port, value, size);
        _currentOp = null;
        State->ExitRequest = 1;
    }

    /// <summary>Whether I/O privilege or the TSS's permission map allow a port access; #GP is pending when not.</summary>
    internal bool MayAccessPort(ushort port, int size)
    {
        CpuState* s = State;
        if ((s->Cr0 & Cr0.PE) == 0 || s->Cpl <= s->IoPrivilege)
        {
            return true;
        }

        ushort map;
        if (s->Tr.Limit < 103)
        {
            return Refuse(Vector.GeneralProtection, 0);
        }

        if (!TryReadSystem(s->Tr.Base + 102, &map, 2))
        {
            return false;
        }

        uint offset = map + ((uint)port / 8);
        ushort bits;
        if (offset + 1 > s->Tr.Limit)
        {
            return Refuse(Vector.GeneralProtection, 0);
        }

        if (!TryReadSystem(s->Tr.Base + offset, &bits, 2))
        {
            return false;
        }

        return ((bits >> (port & 7)) & ((1 << size) - 1)) == 0 || Refuse(Vector.GeneralProtection, 0);
    }

    /// <summary>RDMSR.</summary>
    internal bool TryReadMsr(Op* op, uint msr, out ulong value)
    {
        CpuState* s = State;
        switch (msr)
        {
            case Msr.Tsc:
                value = (ulong)(Flow.RetiredBefore(s, op) + s->IdleTime + s->TscOffset);
                return true;
            case Msr.Efer:
                value = s->Efer;
                return true;
            case Msr.Star:
                value = s->Star;
                return true;
            case Msr.Lstar:
                value = s->Lstar;
                return true;
            case Msr.Cstar:
                value = s->Cstar;
                return true;
            case Msr.Fmask:
                value = s->Sfmask;
                return true;
            case Msr.FsBase:
                value = s->Segments.Fs.Base;
                return true;
            case Msr.GsBase:
                value = s->Segments.Gs.Base;
                return true;
            case Msr.KernelGsBase:
                value = s->KernelGsBase;
                return true;
            case Msr.TscAux:
                value = s->TscAux;
                return true;
            case Msr.Pat:
                value = s->Pat;
                return true;
            case Msr.SysenterCs:
            case Msr.SysenterEsp:
            case Msr.SysenterEip:
                value = s->Sysenter[msr - Msr.SysenterCs];
                return true;
            case Msr.DebugControl:
                value = 0;
                return true;
            default:
                if (ModelRegisters.TryRead(s, msr, out value))
                {
                    return true;
                }

                _currentOp = op;
                bool known = _bus.TryReadMsr(msr, out value);
                _currentOp = null;
                return known;
        }
    }

    /// <summary>WRMSR.</summary>
    internal bool TryWriteMsr(Op* op, uint msr, ulong value)
    {
        CpuState* s = State;
        switch (msr)
        {
            case Msr.Tsc:
                s->TscOffset = (long)value - (Flow.RetiredBefore(s, op) + s->IdleTime);
                _bus.OnTscOffset(s->TscOffset);
                return true;
            case Msr.Efer:
                return TryWriteEfer(value);
            case Msr.Star:
                s->Star = value;
                return true;
            case Msr.Lstar:
                return TrySetBase(ref s->Lstar, value);
            case Msr.Cstar:
                return TrySetBase(ref s->Cstar, value);
            case Msr.Fmask:
                s->Sfmask = (uint)value;
                return true;
            case Msr.FsBase:
                return TrySetBase(ref s->Segments.Fs.Base, value);
            case Msr.GsBase:
                return TrySetBase(ref s->Segments.Gs.Base, value);
            case Msr.KernelGsBase:
                return TrySetBase(ref s->KernelGsBase, value);
            case Msr.TscAux:
                if (value >> 32 != 0)
                {
                    return false;
                }

                s->TscAux = value;
                return true;
            case Msr.Pat:
                return TryWritePat(value);
            case Msr.SysenterCs:
            case Msr.SysenterEsp:
            case Msr.SysenterEip:
                s->Sysenter[msr - Msr.SysenterCs] = value;
                return true;
            case Msr.DebugControl:
                return true;
            default:
                if (ModelRegisters.Has(msr))
                {
                    return ModelRegisters.TryWrite(s, msr, value);
                }

                _currentOp = op;
                bool known = _bus.TryWriteMsr(msr, value);
                _currentOp = null;
                return known;
        }
    }

    /// <summary>MOV to CR0 and LMSW; false when the combination is refused.</summary>
    internal bool TryWriteCr0(ulong value)
    {
        CpuState* s = State;
        const ulong implemented = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE
            | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;
        bool paging = (value & Cr0.PG) != 0;
        if (value >> 32 != 0
            || (paging && (value & Cr0.PE) == 0)
            || (value & (Cr0.NW | Cr0.CD)) == Cr0.NW
            || (paging && (s->Cr0 & Cr0.PG) == 0 && (s->Efer & Efer.LME) != 0 && (s->Cr4 & Cr4.PAE) == 0)
            || (!paging && s->In64BitCode))
        {
            return false;
        }

        ulong old = s->Cr0;
        s->Cr0 = (value & implemented) | Cr0.ET;
        bool longMode = paging && (s->Efer & Efer.LME) != 0;
        s->Efer = longMode ? s->Efer | Efer.LMA : s->Efer & ~Efer.LMA;
        if (((old ^ value) & (Cr0.PG | Cr0.WP | Cr0.PE)) != 0)
        {
            FlushTranslations();
        }

        UpdateMode();
        return true;
    }

    private static bool TrySetBase(ref ulong field, ulong value)
    {
        if (!PageWalker.IsCanonical(value))
        {
            return false;
        }

        field = value;
        return true;
    }

    /// <summary>Memory types are kept, not obeyed; types 2, 3 and above 7 do not exist (Intel SDM vol. 3A §12.12.2).</summary>
    private bool TryWritePat(ulong value)
    {
        for (int i = 0; i < 64; i += 8)
        {
            if (((value >> i) & 0xFF) is 2 or 3 or > 7)
            {
                return false;
            }
        }

        State->Pat = value;
        return true;
    }

    private bool TryWriteEfer(ulong value)
    {
        CpuState* s = State;
        bool togglesLongMode = ((value ^ s->Efer) & Efer.LME) != 0;
        if ((value & ~Efer.Implemented) != 0 || (togglesLongMode && (s->Cr0 & Cr0.PG) != 0))
        {
            return false;
        }

        s->Efer = (value & ~Efer.LMA) | (s->Efer & Efer.LMA);
        FlushTranslations();
        UpdateMode();
        return true;
    }
}
