using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu;

/// <content>Descriptor loads and the transfers built on them (Intel SDM vol. 3A §5, §7; vol. 2, the instructions' own pages).</content>
internal sealed unsafe partial class Processor
{
    private const ulong DescriptorAccessed = 1UL << 40;

    /// <summary>Loads a data or stack segment register; false with a fault pending.</summary>
    internal bool TryLoadSegment(int index, ushort selector)
    {
        CpuState* s = State;
        if ((s->Cr0 & Cr0.PE) == 0 || (s->SystemFlags & Rflags.VM) != 0)
        {
            s->Segments[index].Selector = selector;
            s->Segments[index].Base = (ulong)selector << 4;
            return true;
        }

        if ((selector & ~3) == 0)
        {
            return TryLoadNullSegment(index, selector);
        }

        if (!TryReadDescriptor(selector, Vector.GeneralProtection, out ulong descriptor))
        {
            return false;
        }

        ushort attributes = Attributes(descriptor);
        int dpl = (attributes >> 5) & 3;
        int rpl = selector & 3;
        bool isSegment = (attributes & 0x10) != 0;
        bool isCode = (attributes & 8) != 0;
        bool allowed = index == Segment.Ss
            ? isSegment && !isCode && (attributes & 2) != 0 && rpl == s->Cpl && dpl == s->Cpl
            : isSegment && (!isCode || (attributes & 2) != 0)
                && ((isCode && (attributes & 4) != 0) || (rpl <= dpl && s->Cpl <= dpl));
        if (!allowed)
        {
            return Refuse(Vector.GeneralProtection, selector);
        }

        if ((attributes & Segment.Present) == 0)
        {
            return Refuse(index == Segment.Ss ? Vector.StackFault : Vector.SegmentNotPresent, selector);
        }

        if (!TryMarkAccessed(selector, descriptor))
        {
            return false;
        }

        s->Segments[index] = FromDescriptor(selector, descriptor);
        if (index == Segment.Ss)
        {
            UpdateMode();
        }

        return true;
    }

    /// <summary>LLDT; false with a fault pending.</summary>
    internal bool TryLoadLdt(ushort selector)
    {
        if ((selector & ~3) == 0)
        {
            State->Ldtr = new Segment { Selector = selector };
            return true;
        }

        if (!TryLoadSystemSegment(selector, type: 2, out Segment ldtr))
        {
            return false;
        }

        State->Ldtr = ldtr;
        return true;
    }

    /// <summary>LTR: the TSS must be available and is marked busy; false with a fault pending.</summary>
    internal bool TryLoadTaskRegister(ushort selector)
    {
        if ((selector & ~3) == 0)
        {
            return Refuse(Vector.GeneralProtection, 0);
        }

        if (!TryLoadSystemSegment(selector, type: 9, out Segment tr))
        {
            return false;
        }

        tr.Attributes |= 2;
        byte busy = (byte)tr.Attributes;
        if (!TryWriteSystem(State->GdtBase + (ulong)(selector & ~7) + 5, &busy, 1))
        {
            return false;
        }

        State->Tr = tr;
        return true;
    }

    /// <summary>LAR (0), LSL (1), VERR (2), VERW (3); false with a page fault pending.</summary>
    internal bool TryExamineSelector(int what, ushort selector, out bool valid, out uint result)
    {
        CpuState* s = State;
        valid = false;
        result = 0;
        if ((selector & ~3) == 0)
        {
            return true;
        }

        if (!TryReadDescriptor(selector, Vector.GeneralProtection, out ulong descriptor))
        {
            bool ordinary = s->FaultVector == Vector.GeneralProtection;
            s->FaultVector = ordinary ? Vector.None : s->FaultVector;
            return ordinary;
        }

        ushort attributes = Attributes(descriptor);
        int type = attributes & 0xF;
        bool isSegment = (attributes & 0x10) != 0;
        bool conforming = isSegment && (type & 0xC) == 0xC;
        int dpl = (attributes >> 5) & 3;
        bool reachable = conforming || (s->Cpl <= dpl && (selector & 3) <= dpl);
        valid = reachable && what switch
        {
            0 => isSegment || type is 2 or 9 or 11 or 12,
            1 => isSegment || type is 2 or 9 or 11,
            2 => isSegment && ((type & 8) == 0 || (type & 2) != 0),
            _ => isSegment && (type & 8) == 0 && (type & 2) != 0,
        };
        result = what == 0 ? (uint)(descriptor >> 32) & 0x00FFFF00 : Limit(descriptor);
        return true;
    }

    /// <summary>SYSCALL; always succeeds.</summary>
    internal bool Syscall(ulong nextIp)
    {
        CpuState* s = State;
        ulong flags = LazyFlags.Get(s);
        s->R[Registers.Rcx] = nextIp - CodeBase;
        s->R[11] = flags & ~(ulong)Rflags.RF;
        s->Rip = s->In64BitCode ? s->Lstar : s->Cstar;
        LazyFlags.Set(s, flags & ~s->Sfmask & ~(ulong)Rflags.RF);
        ushort selector = (ushort)((s->Star >> 32) & 0xFFFC);
        s->Segments.Cs = new Segment { Selector = selector, Limit = uint.MaxValue, Attributes = 0xA09B };
        s->Segments.Ss = new Segment { Selector = (ushort)(selector + 8), Limit = uint.MaxValue, Attributes = 0xC093 };
        s->Cpl = 0;
        UpdateMode();
        DecideTrapByNewFlags();
        return true;
    }

    /// <summary>SYSRET to 64-bit or compatibility code; false with #GP pending when the target is not canonical.</summary>
    internal bool Sysret(bool to64Bit)
    {
        CpuState* s = State;
        ulong target = s->R[Registers.Rcx];
        if (to64Bit && !PageWalker.IsCanonical(target))
        {
            return Refuse(Vector.GeneralProtection, 0);
        }

        LazyFlags.Set(s, (s->R[11] & 0x3C7FD7 & ~(ulong)(Rflags.RF | Rflags.VM)) | Rflags.Fixed);
        ushort selector = (ushort)(s->Star >> 48);
        s->Segments.Cs = new Segment
        {
            Selector = (ushort)((to64Bit ? selector + 16 : selector) | 3),
            Limit = uint.MaxValue,
            Attributes = (ushort)(to64Bit ? 0xA0FB : 0xC0FB),
        };
        s->Segments.Ss = new Segment { Selector = (ushort)((selector + 8) | 3), Limit = uint.MaxValue, Attributes = 0xC0F3 };
        s->Rip = to64Bit ? target : (uint)target;
        s->Cpl = 3;
        UpdateMode();
        DecideTrapByNewFlags();
        return true;
    }

    /// <summary>IRET with an operand size of 2, 4 or 8 bytes; false with a fault pending.</summary>
    internal bool InterruptReturn(int size)
    {
        CpuState* s = State;
        if ((s->SystemFlags & Rflags.NT) != 0)
        {
            return Refuse(Vector.GeneralProtection, 0);
        }

        ulong* frame = stackalloc ulong[5];
        bool wide = s->In64BitCode;
        if (!TryReadStack(frame, 3, size))
        {
            return false;
        }

        ushort selector = (ushort)frame[1];
        int rpl = selector & 3;
        if (!TryCheckReturnCode(selector, out Segment code))
        {
            return false;
        }

        bool outer = rpl > s->Cpl;
        ulong newFlags = MergeReturnFlags(frame[2], size);
        if (!outer && !wide)
        {
            if (!CheckTarget(frame[0], code))
            {
                return false;
            }

            s->Segments.Cs = code;
            s->Rip = CodeBase + frame[0];
            StackPointer.Move(s, 3 * size);
        }
        else
        {
            if (!TryReadStack(frame, 5, size))
            {
                return false;
            }

            if (!TryCheckReturnStack((ushort)frame[4], rpl, code, out Segment stack) || !CheckTarget(frame[0], code))
            {
                return false;
            }

            s->Segments.Cs = code;
            s->Segments.Ss = stack;
            s->Rip = CodeBase + frame[0];
            s->Cpl = rpl;
            bool stack64 = (code.Attributes & Segment.Code64) != 0;
            s->R[Registers.Rsp] = stack64 ? frame[3] : (uint)frame[3];
            DropInaccessibleSegments();
        }

        LazyFlags.Set(s, newFlags);
        State->NmiBlocked = 0;
        UpdateMode();
        return true;
    }

    /// <summary>Far RET; false with a fault pending.</summary>
    internal bool FarReturn(int size, int release)
    {
        CpuState* s = State;
        ulong* frame = stackalloc ulong[2];
        if (!TryReadStack(frame, 2, size))
        {
            return false;
        }

        ushort selector = (ushort)frame[1];
        int rpl = selector & 3;
        if ((s->Cr0 & Cr0.PE) == 0)
        {
            s->Segments.Cs.Selector = selector;
            s->Segments.Cs.Base = (ulong)selector << 4;
            s->Rip = s->Segments.Cs.Base + frame[0];
            StackPointer.Move(s, (2 * size) + release);
            return true;
        }

        if (!TryCheckReturnCode(selector, out Segment code))
        {
            return false;
        }

        if (rpl == s->Cpl)
        {
            if (!CheckTarget(frame[0], code))
            {
                return false;
            }

            StackPointer.Move(s, (2 * size) + release);
        }
        else
        {
            ulong* outer = stackalloc ulong[2];
            if (!TryReadStack(outer, 2, size, (2 * size) + release)
                || !TryCheckReturnStack((ushort)outer[1], rpl, code, out Segment stack)
                || !CheckTarget(frame[0], code))
            {
                return false;
            }

            s->Segments.Ss = stack;
            s->R[Registers.Rsp] = outer[0] + (ulong)release;
            s->Cpl = rpl;
            DropInaccessibleSegments();
        }

        s->Segments.Cs = code;
        s->Rip = CodeBase + frame[0];
        UpdateMode();
        return true;
    }

    /// <summary>Far JMP to a code segment; false with a fault pending.</summary>
    internal bool FarJump(ushort selector, ulong offset)
    {
        CpuState* s = State;
        if (!TryCheckFarTarget(selector, out Segment code) || !CheckTarget(offset, code))
        {
            return false;
        }

        s->Segments.Cs = code;
        s->Rip = CodeBase + offset;
        UpdateMode();
        return true;
    }

    /// <summary>Far CALL to a code segment of the same privilege; false with a fault pending.</summary>
    internal bool FarCall(ushort selector, ulong offset, ulong returnIp, int size)
    {
        CpuState* s = State;
        if (!TryCheckFarTarget(selector, out Segment code) || !CheckTarget(offset, code))
        {
            return false;
        }

        // The frame goes to the stack as the new code sees it, the selector first.
        returnIp -= CodeBase;
        Segment from = s->Segments.Cs;
        ulong oldSp = s->R[Registers.Rsp];
        ulong selectorSlot = oldSp - (ulong)size;
        ulong sp = selectorSlot - (ulong)size;
        ulong oldSelector = from.Selector;
        s->Segments.Cs = code;
        selectorSlot = StackPointer.Linear(s, selectorSlot);
        ulong ipSlot = StackPointer.Linear(s, sp);
        bool written = ProbeStore(null, selectorSlot, size) && ProbeStore(null, ipSlot, size)
            && TryWriteAs(_dataAccess, selectorSlot, &oldSelector, size) && TryWriteAs(_dataAccess, ipSlot, &returnIp, size);
        if (!written)
        {
            s->Segments.Cs = from;
            StackPointer.Fault(s);
            return false;
        }

        NoteDataAccess(selectorSlot, size, write: true);
        NoteDataAccess(ipSlot, size, write: true);
        StackPointer.Set(s, sp);
        s->Rip = CodeBase + offset;
        UpdateMode();
        return true;
    }

    private bool TryLoadNullSegment(int index, ushort selector)
    {
        CpuState* s = State;
        bool stackAllowed = s->In64BitCode && s->Cpl != 3 && (selector & 3) == s->Cpl;
        if (index == Segment.Ss && !stackAllowed)
        {
            return Refuse(Vector.GeneralProtection, 0);
        }

        // Base and limit go too, as on Intel's processors and on AMD's since Zen 2.
        s->Segments[index] = new Segment { Selector = selector };
        return true;
    }

    private bool TryCheckFarTarget(ushort selector, out Segment code)
    {
        CpuState* s = State;
        code = default;
        if ((s->Cr0 & Cr0.PE) == 0)
        {
            code = s->Segments.Cs with { Selector = selector, Base = (ulong)selector << 4 };
            return true;
        }

        if ((selector & ~3) == 0)
        {
            return Refuse(Vector.GeneralProtection, 0);
        }

        if (!TryReadDescriptor(selector, Vector.GeneralProtection, out ulong descriptor))
        {
            return false;
        }

        ushort attributes = Attributes(descriptor);
        int dpl = (attributes >> 5) & 3;
        bool isCode = (attributes & 0x18) == 0x18;
        bool conforming = (attributes & 4) != 0;
        bool allowed = isCode && (conforming ? dpl <= s->Cpl : dpl == s->Cpl && (selector & 3) <= s->Cpl);
        if (!allowed || BothSizes(attributes))
        {
            return Refuse(Vector.GeneralProtection, selector);
        }

        if ((attributes & Segment.Present) == 0)
        {
            return Refuse(Vector.SegmentNotPresent, selector);
        }

        code = FromDescriptor((ushort)((selector & ~3) | s->Cpl), descriptor);
        return TryMarkAccessed(selector, descriptor);
    }

    private bool TryCheckReturnCode(ushort selector, out Segment code)
    {
        CpuState* s = State;
        code = default;
        int rpl = selector & 3;
        if ((selector & ~3) == 0)
        {
            return Refuse(Vector.GeneralProtection, 0);
        }

        if (!TryReadDescriptor(selector, Vector.GeneralProtection, out ulong descriptor))
        {
            return false;
        }

        ushort attributes = Attributes(descriptor);
        int dpl = (attributes >> 5) & 3;
        bool isCode = (attributes & 0x18) == 0x18;
        bool conforming = (attributes & 4) != 0;
        if (!isCode || rpl < s->Cpl || (conforming ? dpl > rpl : dpl != rpl) || BothSizes(attributes))
        {
            return Refuse(Vector.GeneralProtection, selector);
        }

        if ((attributes & Segment.Present) == 0)
        {
            return Refuse(Vector.SegmentNotPresent, selector);
        }

        code = FromDescriptor(selector, descriptor);
        return TryMarkAccessed(selector, descriptor);
    }

    private bool TryCheckReturnStack(ushort selector, int rpl, in Segment code, out Segment stack)
    {
        stack = default;
        if ((selector & ~3) == 0)
        {
            bool allowed = (code.Attributes & Segment.Code64) != 0 && State->InLongMode && rpl != 3 && (selector & 3) == rpl;
            stack = new Segment { Selector = selector, Attributes = (ushort)(rpl << 5) };
            return allowed || Refuse(Vector.GeneralProtection, 0);
        }

        if (!TryReadDescriptor(selector, Vector.GeneralProtection, out ulong descriptor))
        {
            return false;
        }

        ushort attributes = Attributes(descriptor);
        bool writable = (attributes & 0x1A) == 0x12;
        if (!writable || (selector & 3) != rpl || ((attributes >> 5) & 3) != rpl)
        {
            return Refuse(Vector.GeneralProtection, selector);
        }

        if ((attributes & Segment.Present) == 0)
        {
            return Refuse(Vector.StackFault, selector);
        }

        stack = FromDescriptor(selector, descriptor);
        return TryMarkAccessed(selector, descriptor);
    }

    private bool CheckTarget(ulong offset, in Segment code)
    {
        bool wide = (code.Attributes & Segment.Code64) != 0 && State->InLongMode;
        return (wide ? PageWalker.IsCanonical(offset) : offset <= code.Limit) || Refuse(Vector.GeneralProtection, 0);
    }

    private ulong MergeReturnFlags(ulong popped, int size)
    {
        CpuState* s = State;
        ulong mask = Rflags.Status | Rflags.TF | Rflags.DF | Rflags.NT;
        if (size > 2)
        {
            mask |= Rflags.RF | Rflags.AC | Rflags.ID;
        }

        if (s->Cpl <= s->IoPrivilege)
        {
            mask |= Rflags.IF;
        }

        if (s->Cpl == 0)
        {
            mask |= Rflags.IOPL;
        }

        return (LazyFlags.Get(s) & ~mask) | (popped & mask);
    }

    private void DropInaccessibleSegments()
    {
        CpuState* s = State;
        int* indexes = stackalloc int[] { Segment.Es, Segment.Ds, Segment.Fs, Segment.Gs };
        for (int i = 0; i < 4; i++)
        {
            ref Segment segment = ref s->Segments[indexes[i]];
            int dpl = (segment.Attributes >> 5) & 3;
            bool conforming = (segment.Attributes & 0x1C) == 0x1C;
            if ((segment.Attributes & 0x10) != 0 && dpl < s->Cpl && !conforming)
            {
                segment.Selector = 0;
                segment.Attributes = 0;
            }
        }
    }

    private bool TryReadStack(ulong* into, int count, int size, int skip = 0)
    {
        CpuState* s = State;
        for (int i = 0; i < count; i++)
        {
            ulong address = StackPointer.Linear(s, s->R[Registers.Rsp] + (ulong)(skip + (i * size)));
            into[i] = 0;
            if (!IsAligned(address, size) || !TryReadAs(_dataAccess, address, into + i, size))
            {
                StackPointer.Fault(s);
                return false;
            }

            NoteDataAccess(address, size, write: false);
        }

        return true;
    }

    private bool TryLoadSystemSegment(ushort selector, int type, out Segment segment)
    {
        segment = default;
        if ((selector & 4) != 0 || !TryReadDescriptor(selector, Vector.GeneralProtection, out ulong descriptor))
        {
            return State->FaultVector != Vector.None ? false : Refuse(Vector.GeneralProtection, selector);
        }

        ushort attributes = Attributes(descriptor);
        if ((attributes & 0x1F) != type && !(type == 9 && !State->InLongMode && (attributes & 0x1F) == 1))
        {
            return Refuse(Vector.GeneralProtection, selector);
        }

        if ((attributes & Segment.Present) == 0)
        {
            return Refuse(Vector.SegmentNotPresent, selector);
        }

        ulong high = 0;
        if (State->InLongMode)
        {
            if ((selector & ~7u) + 15 > State->GdtLimit)
            {
                return Refuse(Vector.GeneralProtection, selector);
            }

            if (!TryReadSystem(State->GdtBase + (ulong)(selector & ~7) + 8, &high, 8))
            {
                return false;
            }

            // The type field of the second half must say that it is none.
            if (((high >> 40) & 0x1F) != 0)
            {
                return Refuse(Vector.GeneralProtection, selector);
            }
        }

        segment = FromDescriptor(selector, descriptor);
        segment.Base |= high << 32;
        return PageWalker.IsCanonical(segment.Base) || Refuse(Vector.GeneralProtection, selector);
    }

    /// <summary>What separates RIP, a linear address here, from the offset in CS that software sees.</summary>
    private ulong CodeBase => State->In64BitCode ? 0 : State->Segments.Cs.Base;

    private bool TryReadDescriptor(ushort selector, byte vector, out ulong descriptor)
    {
        CpuState* s = State;
        bool local = (selector & 4) != 0;
        ulong table = local ? s->Ldtr.Base : s->GdtBase;
        uint limit = local ? s->Ldtr.Limit : s->GdtLimit;
        descriptor = 0;
        if ((selector | 7u) > limit || (local && (s->Ldtr.Selector & ~3) == 0))
        {
            return Refuse(vector, selector);
        }

        ulong value;
        if (!TryReadSystem(table + (ulong)(selector & ~7), &value, 8))
        {
            return false;
        }

        descriptor = value;
        return true;
    }

    private bool TryMarkAccessed(ushort selector, ulong descriptor)
    {
        if ((descriptor & DescriptorAccessed) != 0)
        {
            return true;
        }

        ulong table = (selector & 4) != 0 ? State->Ldtr.Base : State->GdtBase;
        byte type = (byte)((descriptor | DescriptorAccessed) >> 40);
        return TryWriteSystem(table + (ulong)(selector & ~7) + 5, &type, 1);
    }

    private bool Refuse(byte vector, int selector)
    {
        State->FaultVector = vector;
        State->FaultErrorCode = (uint)selector & 0xFFFC;
        return false;
    }

    private static bool BothSizes(ushort attributes) => (attributes & (Segment.Code64 | Segment.Big)) == (Segment.Code64 | Segment.Big);

    private static ushort Attributes(ulong descriptor) => (ushort)((descriptor >> 40) & 0xF0FF);

    private static uint Limit(ulong descriptor)
    {
        uint limit = (uint)((descriptor & 0xFFFF) | ((descriptor >> 32) & 0xF0000));
        return (descriptor & (1UL << 55)) != 0 ? (limit << 12) | 0xFFF : limit;
    }

    private static Segment FromDescriptor(ushort selector, ulong descriptor) => new()
    {
        Selector = selector,
        Base = ((descriptor >> 16) & 0xFFFFFF) | ((descriptor >> 32) & 0xFF000000),
        Limit = Limit(descriptor),
        Attributes = (ushort)(Attributes(descriptor) | ((descriptor & (1UL << 44)) != 0 ? 1 : 0)),
    };
}
