using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>MOVS, STOS, LODS, CMPS, SCAS, INS, OUTS with their REP prefixes.</summary>
/// <remarks>
/// A repeated instruction retires once, whatever its count. When it faults, the registers show how far it came and the
/// instruction will be executed again, as it is after a debug trap between two elements. Source operands take the op's segment; destinations are in ES.
/// </remarks>
internal static unsafe class Strings
{
    /// <summary>MOVS of elements T wide.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Move<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        for (ulong left = Count(s, op); left > 0;)
        {
            ulong source = Source(s, op);
            ulong destination = Destination(s, op);
            ulong run = RunLength<T>(s, op, source, destination, left);
            byte* from = MemoryAccess.Load<T>(s, op, source);
            if (from == null)
            {
                return null;
            }

            byte* to = run > 1 ? MemoryAccess.TryStore<T>(s, destination) : null;
            if (to != null && MemoryAccess.IsDirect(s, from))
            {
                CopyForward<T>(from, to, run);
            }
            else
            {
                run = 1;
                ulong value = LittleEndian.Get<T>(from);
                if (!MemoryAccess.SlowStore(s, op, destination, value, sizeof(T)))
                {
                    return null;
                }
            }

            Advance<T>(s, op, Registers.Rsi, run);
            Advance<T>(s, op, Registers.Rdi, run);
            left -= run;
            SetCount(s, op, left);
            if (MustPause(s, op, left, run))
            {
                return Flow.StopBefore(s, op);
            }
        }

        return op + 1;
    }

    /// <summary>STOS of elements T wide.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Fill<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong value = Registers.Read<T>(s, 0);
        for (ulong left = Count(s, op); left > 0;)
        {
            ulong destination = Destination(s, op);
            ulong run = RunLength<T>(s, op, destination, destination, left);
            byte* to = run > 1 ? MemoryAccess.TryStore<T>(s, destination) : null;
            if (to != null)
            {
                FillForward<T>(to, value, run);
            }
            else
            {
                run = 1;
                if (!MemoryAccess.SlowStore(s, op, destination, value, sizeof(T)))
                {
                    return null;
                }
            }

            Advance<T>(s, op, Registers.Rdi, run);
            left -= run;
            SetCount(s, op, left);
            if (MustPause(s, op, left, run))
            {
                return Flow.StopBefore(s, op);
            }
        }

        return op + 1;
    }

    /// <summary>LODS of elements T wide.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* LoadElements<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        for (ulong left = Count(s, op); left > 0;)
        {
            byte* p = MemoryAccess.Load<T>(s, op, Source(s, op));
            if (p == null)
            {
                return null;
            }

            Registers.Write<T>(s, 0, LittleEndian.Get<T>(p));
            Advance<T>(s, op, Registers.Rsi, 1);
            SetCount(s, op, --left);
            if (MustPause(s, op, left))
            {
                return Flow.StopBefore(s, op);
            }
        }

        return op + 1;
    }

    /// <summary>SCAS of elements T wide: compares rAX with memory while the REP condition holds.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Scan<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong a = Registers.Read<T>(s, 0);
        for (ulong left = Count(s, op); left > 0;)
        {
            byte* p = MemoryAccess.Load<T>(s, op, Destination(s, op));
            if (p == null)
            {
                return null;
            }

            ulong b = LittleEndian.Get<T>(p);
            LazyFlags.SetSub<T>(s, a, b, Registers.Cut<T>(a - b));
            Advance<T>(s, op, Registers.Rdi, 1);
            SetCount(s, op, --left);
            if (ConditionEnds(op, a == b))
            {
                break;
            }

            if (MustPause(s, op, left))
            {
                return Flow.StopBefore(s, op);
            }
        }

        return op + 1;
    }

    /// <summary>CMPS of elements T wide: compares memory with memory while the REP condition holds.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Compare<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        for (ulong left = Count(s, op); left > 0;)
        {
            byte* p = MemoryAccess.Load<T>(s, op, Source(s, op));
            if (p == null)
            {
                return null;
            }

            ulong a = LittleEndian.Get<T>(p);
            p = MemoryAccess.Load<T>(s, op, Destination(s, op));
            if (p == null)
            {
                return null;
            }

            ulong b = LittleEndian.Get<T>(p);
            LazyFlags.SetSub<T>(s, a, b, Registers.Cut<T>(a - b));
            Advance<T>(s, op, Registers.Rsi, 1);
            Advance<T>(s, op, Registers.Rdi, 1);
            SetCount(s, op, --left);
            if (ConditionEnds(op, a == b))
            {
                break;
            }

            if (MustPause(s, op, left))
            {
                return Flow.StopBefore(s, op);
            }
        }

        return op + 1;
    }

    /// <summary>INS of elements T wide from the port in DX.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Input<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        Processor cpu = Processor.Of(s);
        ushort port = (ushort)s->R[Registers.Rdx];
        if (!cpu.MayAccessPort(port, sizeof(T)))
        {
            return Flow.StopBefore(s, op);
        }

        for (ulong left = Count(s, op); left > 0; left--)
        {
            // The store must be known to succeed before the device gives the value away.
            if (!cpu.ProbeStore(op, Destination(s, op), sizeof(T)))
            {
                return null;
            }

            ulong value = cpu.ReadPort(op, port, sizeof(T));
            if (!MemoryAccess.SlowStore(s, op, Destination(s, op), value, sizeof(T)))
            {
                return null;
            }

            Advance<T>(s, op, Registers.Rdi, 1);
            SetCount(s, op, left - 1);
            if (MustPause(s, op, left - 1))
            {
                return Flow.StopBefore(s, op);
            }
        }

        return op + 1;
    }

    /// <summary>OUTS of elements T wide to the port in DX.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Output<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        Processor cpu = Processor.Of(s);
        ushort port = (ushort)s->R[Registers.Rdx];
        if (!cpu.MayAccessPort(port, sizeof(T)))
        {
            return Flow.StopBefore(s, op);
        }

        for (ulong left = Count(s, op); left > 0; left--)
        {
            byte* p = MemoryAccess.Load<T>(s, op, Source(s, op));
            if (p == null)
            {
                return null;
            }

            cpu.WritePort(op, port, (uint)LittleEndian.Get<T>(p), sizeof(T));
            Advance<T>(s, op, Registers.Rsi, 1);
            SetCount(s, op, left - 1);
            if (MustPause(s, op, left - 1))
            {
                return Flow.StopBefore(s, op);
            }
        }

        return op + 1;
    }

    private static bool ConditionEnds(Op* op, bool equal) =>
        (op->Bits & OpBits.Repeat) != 0 ? !equal : (op->Bits & OpBits.RepeatNotEqual) == 0 || equal;

    /// <summary>
    /// Whether the instruction stops between elements, after <paramref name="run"/> of them and with <paramref name="left"/> to go:
    /// for a debug trap, which TF raises after each, or because the host wants to pause.
    /// </summary>
    private static bool MustPause(CpuState* s, Op* op, ulong left, ulong run = 1)
    {
        bool stretch = (left ^ (left + run)) >= Processor.RepeatPauseInterval;
        return left > 0 && (stretch || s->ExitRequest != 0 || (s->SystemFlags & Rflags.TF) != 0)
            && Processor.Of(s).MustPauseRepeat(op, stretch);
    }

    private static ulong Count(CpuState* s, Op* op) =>
        (op->Bits & (OpBits.Repeat | OpBits.RepeatNotEqual)) == 0 ? 1 : Narrow(op, s->R[Registers.Rcx]);

    private static void SetCount(CpuState* s, Op* op, ulong left)
    {
        if ((op->Bits & (OpBits.Repeat | OpBits.RepeatNotEqual)) != 0)
        {
            WriteAddressRegister(s, op, Registers.Rcx, left);
        }
    }

    private static ulong Source(CpuState* s, Op* op) => AnyAddress.Segmented(s, op, s->R[Registers.Rsi]);

    private static ulong Destination(CpuState* s, Op* op)
    {
        ulong offset = Narrow(op, s->R[Registers.Rdi]);
        return s->In64BitCode ? offset : (uint)(s->Segments.Es.Base + offset);
    }

    private static void Advance<T>(CpuState* s, Op* op, int register, ulong elements)
        where T : unmanaged
    {
        ulong step = elements * (ulong)sizeof(T);
        ulong value = s->R[register];
        WriteAddressRegister(s, op, register, (s->SystemFlags & Rflags.DF) != 0 ? value - step : value + step);
    }

    private static ulong Narrow(Op* op, ulong value) =>
        OpBits.CutOffset(op->Bits, value);

    private static void WriteAddressRegister(CpuState* s, Op* op, int register, ulong value)
    {
        if ((op->Bits & OpBits.Offset16) == OpBits.Offset16)
        {
            Registers.Write<ushort>(s, (nuint)(register * 8), value);
        }
        else
        {
            s->R[register] = Narrow(op, value);
        }
    }

    /// <summary>Elements that can be moved at once: upwards, within the pages of both operands, and with room before a register wraps.</summary>
    private static ulong RunLength<T>(CpuState* s, Op* op, ulong a, ulong b, ulong left)
        where T : unmanaged
    {
        if ((s->SystemFlags & (Rflags.DF | Rflags.TF)) != 0 || (op->Bits & OpBits.Wraps) != 0 || Processor.Of(s).WatchesData)
        {
            return 1;
        }

        ulong room = PhysicalMemory.PageSize - Math.Max(a & 0xFFF, b & 0xFFF);
        return Math.Max(1, Math.Min(left, room / (ulong)sizeof(T)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyForward<T>(byte* from, byte* to, ulong elements)
        where T : unmanaged
    {
        long bytes = (long)elements * sizeof(T);
        if (to <= from || to >= from + bytes)
        {
            Buffer.MemoryCopy(from, to, bytes, bytes);
            return;
        }

        // The copy reads what it has just written, as the instruction does element by element.
        for (ulong i = 0; i < elements; i++)
        {
            ((T*)to)[i] = ((T*)from)[i];
        }
    }

    private static void FillForward<T>(byte* to, ulong value, ulong elements)
        where T : unmanaged
    {
        switch (sizeof(T))
        {
            case 1: new Span<byte>(to, (int)elements).Fill((byte)value); break;
            case 2: new Span<ushort>(to, (int)elements).Fill((ushort)value); break;
            case 4: new Span<uint>(to, (int)elements).Fill((uint)value); break;
            default: new Span<ulong>(to, (int)elements).Fill(value); break;
        }
    }
}
