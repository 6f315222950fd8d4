using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>SSE to SSE4.2: drivers that fetch operands, call a lane function and go on.</summary>
/// <remarks>
/// <see cref="Op.Link"/> holds the lane function; the destination and a register source are byte offsets of XMM registers.
/// Handlers keep no locals whose address is taken, since those would cost the tail call; what needs such locals does its
/// work in a method of its own.
/// </remarks>
internal static unsafe partial class Sse
{
    /// <summary>The destination register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Xmm* Destination(CpuState* s, Op* op) => (Xmm*)((byte*)s + op->Destination);

    /// <summary>dst = f(dst, src).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Lanes<TSource>(CpuState* s, Op* op)
        where TSource : struct, IXmmSource
    {
        Xmm* source = TSource.Pointer(s, op);
        if (TSource.CanFault && source == null)
        {
            return null;
        }

        ((delegate*<Xmm*, Xmm*, void>)op->Link)(Destination(s, op), source);
        return Flow.Next(s, op);
    }

    /// <summary>dst = f(dst, src) with the operation known when compiled, for what programs use most.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Inlined<TOperation, TSource>(CpuState* s, Op* op)
        where TOperation : struct, ILaneOperation
        where TSource : struct, IXmmSource
    {
        Xmm* source = TSource.Pointer(s, op);
        if (TSource.CanFault && source == null)
        {
            return null;
        }

        TOperation.Apply(Destination(s, op), source);
        return Flow.Next(s, op);
    }

    /// <summary>dst = f(dst, src, immediate).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* LanesImmediate<TSource>(CpuState* s, Op* op)
        where TSource : struct, IXmmSource
    {
        Xmm* source = TSource.Pointer(s, op);
        if (TSource.CanFault && source == null)
        {
            return null;
        }

        ((delegate*<Xmm*, Xmm*, int, void>)op->Link)(Destination(s, op), source, (byte)op->Immediate);
        return Flow.Next(s, op);
    }

    /// <summary>A shift by the immediate, which stands where a source's lower half would.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Shift(CpuState* s, Op* op)
    {
        ((delegate*<Xmm*, Xmm*, void>)op->Link)(Destination(s, op), (Xmm*)&op->Immediate);
        return Flow.Next(s, op);
    }

    /// <summary>PBLENDVB and its relatives: the mask is XMM0.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Blend<TSource>(CpuState* s, Op* op)
        where TSource : struct, IXmmSource
    {
        Xmm* source = TSource.Pointer(s, op);
        if (TSource.CanFault && source == null)
        {
            return null;
        }

        ((delegate*<Xmm*, Xmm*, Xmm*, void>)op->Link)(Destination(s, op), source, (Xmm*)s->XmmRegisters);
        return Flow.Next(s, op);
    }

    /// <summary>PTEST: ZF when no common bit is set, CF when the source has none outside the destination.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Test<TSource>(CpuState* s, Op* op)
        where TSource : struct, IXmmSource
    {
        Xmm* b = TSource.Pointer(s, op);
        if (TSource.CanFault && b == null)
        {
            return null;
        }

        Xmm* a = Destination(s, op);
        uint flags = ((a->Low & b->Low) | (a->High & b->High)) == 0 ? Rflags.ZF : 0;
        flags |= ((~a->Low & b->Low) | (~a->High & b->High)) == 0 ? Rflags.CF : 0;
        LazyFlags.SetStatus(s, flags);
        return Flow.Next(s, op);
    }

    /// <summary>PMOVMSKB, MOVMSKPS and MOVMSKPD.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Mask(CpuState* s, Op* op)
    {
        uint mask = ((delegate*<Xmm*, uint>)op->Link)((Xmm*)((byte*)s + op->Source));
        Registers.Write<uint>(s, op->Destination, mask);
        return Flow.Next(s, op);
    }

    /// <summary>Loads from a general register or memory into the lower part, clearing the rest (MOVD, MOVQ).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* FromGeneral<T, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
    {
        byte* p = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        Xmm* a = Destination(s, op);
        a->Low = LittleEndian.Get<T>(p);
        a->High = 0;
        return Flow.Next(s, op);
    }

    /// <summary>Element <see cref="Op.Immediate"/> into a general register (MOVD, MOVQ, PEXTRB and so on).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ToGeneral<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong value = LittleEndian.Get<T>((byte*)s + op->Source + (op->Immediate * sizeof(T)));
        Registers.Write<ulong>(s, op->Destination, value);
        return Flow.Next(s, op);
    }

    /// <summary>Element <see cref="Op.Immediate"/> of the register to memory, up to 8 bytes (MOVSS, MOVHPS, PEXTRB and so on).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* StoreElement<T>(CpuState* s, Op* op)
        where T : unmanaged =>
        MemoryAccess.Store<T>(s, op, AnyAddress.Of(s, op), LittleEndian.Get<T>((byte*)s + op->Source + (op->Immediate * sizeof(T))));

    /// <summary>The whole register to memory; where <typeparamref name="TAligned"/>, #GP unless on a 16-byte boundary.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Store<TAligned>(CpuState* s, Op* op)
        where TAligned : struct, IFlag
    {
        ulong address = AnyAddress.Of(s, op);
        if (TAligned.Value && (address & 15) != 0)
        {
            return Flow.Fault(s, op, Vector.GeneralProtection);
        }

        byte* p = MemoryAccess.TryStore<Xmm>(s, address);
        if (p == null)
        {
            return MemoryAccess.SlowStoreBytes(s, op, address, (byte*)s + op->Source, sizeof(Xmm)) ? op + 1 : null;
        }

        *(Xmm*)p = *(Xmm*)((byte*)s + op->Source);
        return Flow.Next(s, op);
    }

    /// <summary>A general register or memory into element <see cref="Op.Immediate"/> (PINSRB and so on).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Insert<T, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
    {
        byte* p = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        LittleEndian.Put<T>((byte*)s + op->Destination + (op->Immediate * sizeof(T)), LittleEndian.Get<T>(p));
        return Flow.Next(s, op);
    }

    /// <summary>MASKMOVDQU: bytes whose mask has the top bit set, to DS:RDI or what overrides DS.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* MaskedStore(CpuState* s, Op* op) =>
        StoreMasked(s, op, (byte*)s + op->Destination, (byte*)s + op->Source, 16) ? op + 1 : null;

    /// <summary>Stores the bytes that a mask marks; all of them are checked before the first is written.</summary>
    internal static bool StoreMasked(CpuState* s, Op* op, byte* data, byte* mask, int count)
    {
        ulong address = AnyAddress.Of(s, op);
        Processor cpu = Processor.Of(s);
        for (int i = 0; i < count; i++)
        {
            if ((mask[i] & 0x80) != 0 && !cpu.Probe(op, address + (ulong)i, write: true))
            {
                return false;
            }
        }

        for (int i = 0; i < count; i++)
        {
            if ((mask[i] & 0x80) != 0 && !MemoryAccess.SlowStoreBytes(s, op, address + (ulong)i, data + i, 1))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>CRC32: the checksum in a general register of 4 or 8 bytes takes in an operand of <typeparamref name="T"/>.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Checksum<T, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
    {
        byte* p = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        uint crc = Crc32C.Accumulate((uint)Registers.Read<uint>(s, op->Destination), LittleEndian.Get<T>(p), sizeof(T));
        Registers.Write<uint>(s, op->Destination, crc);
        return Flow.Next(s, op);
    }

    /// <summary>PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM: bits 8 (explicit), 9 (mask) and 10 (64-bit lengths) say which.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* CompareStrings<TSource>(CpuState* s, Op* op)
        where TSource : struct, IXmmSource
    {
        Xmm* source = TSource.Pointer(s, op);
        if (TSource.CanFault && source == null)
        {
            return null;
        }

        CompareStrings(s, Destination(s, op), source, (int)op->Immediate);
        return Flow.Next(s, op);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CompareStrings(CpuState* s, Xmm* a, Xmm* b, int immediate)
    {
        int count = StringCompare.Count(immediate);
        bool wide = (immediate & ExplicitWide) != 0;
        bool isExplicit = (immediate & Explicit) != 0;
        long rax = (long)s->R[Registers.Rax];
        long rdx = (long)s->R[Registers.Rdx];
        int lengthA = isExplicit
            ? StringCompare.ExplicitLength(wide ? rax : (int)rax, immediate)
            : StringCompare.ImplicitLength(a, immediate);
        int lengthB = isExplicit
            ? StringCompare.ExplicitLength(wide ? rdx : (int)rdx, immediate)
            : StringCompare.ImplicitLength(b, immediate);
        uint result = StringCompare.Compare(a, b, immediate, lengthA, lengthB);
        if ((immediate & ResultMask) != 0)
        {
            *(Xmm*)s->XmmRegisters = StringCompare.Mask(result, immediate);
        }
        else
        {
            Registers.Write<uint>(s, Registers.Rcx * 8, (ulong)StringCompare.Index(result, immediate));
        }

        LazyFlags.SetStatus(
            s,
            (result != 0 ? Rflags.CF : 0) | (lengthB < count ? Rflags.ZF : 0) | (lengthA < count ? Rflags.SF : 0)
            | ((result & 1) != 0 ? Rflags.OF : 0));
    }

    /// <summary>Bit beside the immediate of a string comparison: lengths are in RAX and RDX.</summary>
    internal const int Explicit = 1 << 8;

    /// <summary>Bit beside the immediate of a string comparison: the result is a mask in XMM0.</summary>
    internal const int ResultMask = 1 << 9;

    /// <summary>Bit beside the immediate of a string comparison: the lengths have 64 bits.</summary>
    internal const int ExplicitWide = 1 << 10;
}
