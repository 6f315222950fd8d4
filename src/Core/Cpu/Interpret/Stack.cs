using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>PUSH, POP, PUSHA, POPA, ENTER, LEAVE, PUSHF and POPF, and the stack pointer's width rules.</summary>
/// <remarks>In 64-bit code the stack is flat and 64 bits wide; elsewhere SS gives its base and its width.</remarks>
internal static unsafe class Stack
{
    /// <summary>PUSH of a register or an immediate in 64-bit code.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Push64<TSource>(CpuState* s, Op* op)
        where TSource : struct, ISource
    {
        ulong value = *(ulong*)TSource.Pointer<ulong>(s, op);
        ulong sp = s->R[Registers.Rsp] - 8;
        if (!MemoryAccess.TryStore<ulong>(s, sp, out byte* p))
        {
            return MemoryAccess.MissStore(s, op, sp, 8);
        }

        *(ulong*)p = value;
        s->R[Registers.Rsp] = sp;
        return Flow.Next(s, op);
    }

    /// <summary>POP of a register in 64-bit code.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Pop64(CpuState* s, Op* op)
    {
        ulong sp = s->R[Registers.Rsp];
        if (!MemoryAccess.TryLoad<ulong>(s, sp, out byte* p))
        {
            return MemoryAccess.MissLoad(s, op, sp, 8);
        }

        // POP RSP ends with the value read, so the pointer moves first.
        s->R[Registers.Rsp] = sp + 8;
        *(ulong*)((byte*)s + op->Destination) = *(ulong*)p;
        return Flow.Next(s, op);
    }

    /// <summary>PUSH of any operand, T wide.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Push<T, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
    {
        byte* p = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        return TryPush<T>(s, op, LittleEndian.Get<T>(p)) ? op + 1 : null;
    }

    /// <summary>POP into a register, T wide.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* PopRegister<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        if (!TryPeek<T>(s, op, 0, out ulong value))
        {
            return null;
        }

        StackPointer.Move(s, sizeof(T));
        Registers.Write<T>(s, op->Destination, value);
        return op + 1;
    }

    /// <summary>POP into memory, T wide; the address is formed with the stack pointer already moved.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* PopMemory<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        if (!TryPeek<T>(s, op, 0, out ulong value))
        {
            return null;
        }

        ulong old = s->R[Registers.Rsp];
        StackPointer.Move(s, sizeof(T));
        if (MemoryAccess.SlowStore(s, op, AnyAddress.Of(s, op), value, sizeof(T)))
        {
            return op + 1;
        }

        s->R[Registers.Rsp] = old;
        return null;
    }

    /// <summary>PUSH of a segment register: the selector, zero-extended to T.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* PushSegment<T>(CpuState* s, Op* op)
        where T : unmanaged =>
        TryPush<T>(s, op, s->Segments[op->Source].Selector) ? op + 1 : null;

    /// <summary>POP of a segment register, T wide.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* PopSegment<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        if (!TryPeek<T>(s, op, 0, out ulong value))
        {
            return null;
        }

        if (!Processor.Of(s).TryLoadSegment(op->Destination, (ushort)value))
        {
            return Flow.StopBefore(s, op);
        }

        StackPointer.Move(s, sizeof(T));
        s->InterruptShadow = op->Destination == Segment.Ss ? CpuState.StackSegmentShadow : 0;
        s->ExitRequest = 1;
        return Flow.StopAfter(s, op);
    }

    /// <summary>PUSHA, T wide.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* PushAll<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong sp = s->R[Registers.Rsp];
        for (int i = 0; i < 8; i++)
        {
            ulong value = i == Registers.Rsp ? sp : s->R[i];
            if (!TryPush<T>(s, op, value))
            {
                s->R[Registers.Rsp] = sp;
                return null;
            }
        }

        return op + 1;
    }

    /// <summary>POPA, T wide; the saved stack pointer is skipped.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* PopAll<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong* values = stackalloc ulong[8];
        for (int i = 0; i < 8; i++)
        {
            if (!TryPeek<T>(s, op, i * sizeof(T), out values[7 - i]))
            {
                return null;
            }
        }

        StackPointer.Move(s, 8 * sizeof(T));
        for (int i = 0; i < 8; i++)
        {
            if (i != Registers.Rsp)
            {
                Registers.Write<T>(s, (nuint)(i * 8), values[i]);
            }
        }

        return op + 1;
    }

    /// <summary>LEAVE, T wide.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Leave<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong frame = s->R[Registers.Rbp];
        byte* p = MemoryAccess.Load<T>(s, op, StackPointer.Linear(s, frame));
        if (p == null)
        {
            return StackPointer.Fault(s);
        }

        StackPointer.Set(s, frame);
        StackPointer.Move(s, sizeof(T));
        Registers.Write<T>(s, Registers.Rbp * 8, LittleEndian.Get<T>(p));
        return op + 1;
    }

    /// <summary>ENTER, T wide: the frame size is the immediate, the nesting level stands in Source.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Enter<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong oldSp = s->R[Registers.Rsp];
        ulong bp = s->R[Registers.Rbp];
        int level = op->Source & 31;
        if (!TryPush<T>(s, op, bp))
        {
            return null;
        }

        ulong frame = s->R[Registers.Rsp];
        for (int i = 1; i <= level; i++)
        {
            ulong value = frame;
            if (i < level)
            {
                bp -= (ulong)sizeof(T);
                byte* p = MemoryAccess.Load<T>(s, op, StackPointer.Linear(s, bp));
                if (p == null)
                {
                    s->R[Registers.Rsp] = oldSp;
                    return StackPointer.Fault(s);
                }

                value = LittleEndian.Get<T>(p);
            }

            if (!TryPush<T>(s, op, value))
            {
                s->R[Registers.Rsp] = oldSp;
                return null;
            }
        }

        StackPointer.Move(s, -op->Immediate);

        // The manual's last check: the new top of stack must be writable.
        if (!Processor.Of(s).ProbeStore(op, StackPointer.Linear(s, s->R[Registers.Rsp]), sizeof(T)))
        {
            s->R[Registers.Rsp] = oldSp;
            return StackPointer.Fault(s);
        }

        Registers.Write<T>(s, Registers.Rbp * 8, frame);
        return op + 1;
    }

    /// <summary>PUSHF, T wide: VM and RF are pushed as zero.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* PushFlags<T>(CpuState* s, Op* op)
        where T : unmanaged =>
        TryPush<T>(s, op, LazyFlags.Get(s) & ~(ulong)(Rflags.VM | Rflags.RF)) ? op + 1 : null;

    /// <summary>POPF, T wide (Intel SDM vol. 2, table of what may change at which privilege).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* PopFlags<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        if (!TryPeek<T>(s, op, 0, out ulong value))
        {
            return null;
        }

        StackPointer.Move(s, sizeof(T));
        return SystemOps.ChangeFlags(s, op, value, sizeof(T));
    }

    /// <summary>Pushes without going on; false with a fault pending and nothing changed.</summary>
    public static bool TryPush<T>(CpuState* s, Op* op, ulong value)
        where T : unmanaged
    {
        ulong sp = s->R[Registers.Rsp] - (ulong)sizeof(T);
        if (!MemoryAccess.SlowStore(s, op, StackPointer.Linear(s, sp), value, sizeof(T)))
        {
            StackPointer.Fault(s);
            return false;
        }

        StackPointer.Set(s, sp);
        return true;
    }

    /// <summary>Reads the stack at a distance from its top; false with a fault pending.</summary>
    public static bool TryPeek<T>(CpuState* s, Op* op, int distance, out ulong value)
        where T : unmanaged
    {
        byte* p = MemoryAccess.Load<T>(s, op, StackPointer.Linear(s, s->R[Registers.Rsp] + (ulong)distance));
        if (p == null)
        {
            value = 0;
            StackPointer.Fault(s);
            return false;
        }

        value = LittleEndian.Get<T>(p);
        return true;
    }
}
