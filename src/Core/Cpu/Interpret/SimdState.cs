using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>FXSAVE, FXRSTOR, LDMXCSR and STMXCSR (Intel SDM vol. 1 §10.5).</summary>
internal static unsafe class SimdState
{
    /// <summary>The bits of MXCSR that exist; setting another raises #GP.</summary>
    public const uint MxcsrMask = 0xFFFF;

    internal const int ImageSize = 512;
    internal const int XmmAt = 160;
    internal const int RegistersAt = 32;

    /// <summary>LDMXCSR.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* LoadMxcsr(CpuState* s, Op* op)
    {
        byte* p = MemoryAccess.Load<uint>(s, op, AnyAddress.Of(s, op));
        if (p == null)
        {
            return null;
        }

        uint value = *(uint*)p;
        if ((value & ~MxcsrMask) != 0)
        {
            return Flow.Fault(s, op, Vector.GeneralProtection);
        }

        s->Mxcsr = value;
        return Flow.Next(s, op);
    }

    /// <summary>STMXCSR.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* StoreMxcsr(CpuState* s, Op* op) =>
        MemoryAccess.Store<uint>(s, op, AnyAddress.Of(s, op), s->Mxcsr);

    /// <summary>FXSAVE, or FXSAVE64 with the Family bit.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Save(CpuState* s, Op* op) => SaveImage(s, op) ? op + 1 : null;

    /// <summary>FXRSTOR, or FXRSTOR64 with the Family bit.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Restore(CpuState* s, Op* op) => RestoreImage(s, op) ? Flow.Next(s, op) : null;

    /// <summary>An image must lie on a 16-byte boundary: #GP, or #AC where user code has asked for
    /// alignment checks and not even 4 bytes are aligned, as AMD has it.</summary>
    private static bool IsAligned(CpuState* s, Op* op, ulong address)
    {
        if ((address & 15) == 0)
        {
            return true;
        }

        if (s->InLongMode && !PageWalker.IsCanonical(address) && !Processor.Of(s).Probe(op, address, write: false))
        {
            // Other than with the 16-byte operands of SSE, the stack's addresses stay #SS here.
            return false;
        }

        bool checks = s->AccessMode == Tlb.UserAligned && (address & 3) != 0;
        Flow.Fault(s, op, checks ? Vector.AlignmentCheck : Vector.GeneralProtection);
        return false;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool SaveImage(CpuState* s, Op* op)
    {
        ulong address = AnyAddress.Of(s, op);
        if (!IsAligned(s, op, address) || !Processor.Of(s).Probe(op, address + (ImageSize - 1), write: true))
        {
            return false;
        }

        byte* image = stackalloc byte[ImageSize];
        Unsafe.InitBlock(image, 0, ImageSize);
        *(ushort*)image = s->FpuControl;
        *(ushort*)(image + 2) = FpuStack.StatusWord(s);
        image[4] = s->FpuTags;
        if ((s->FpuStatus & FpuStatus.ErrorSummary) != 0)
        {
            // AMD's processors save the pointers only for a handler that needs them.
            *(ushort*)(image + 6) = s->FpuOpcode;
            *(ulong*)(image + 8) = s->FpuIp;
            *(ulong*)(image + 16) = s->FpuDp;
            if ((op->Bits & OpBits.Family) == 0)
            {
                *(uint*)(image + 12) = s->FpuSelectors & 0xFFFF;
                *(uint*)(image + 20) = s->FpuSelectors >> 16;
            }
        }

        *(uint*)(image + 24) = s->Mxcsr;
        *(uint*)(image + 28) = MxcsrMask;
        for (int i = 0; i < 8; i++)
        {
            Float80 x = FpuStack.Get(s, i);
            *(ulong*)(image + RegistersAt + (16 * i)) = x.Mantissa;
            *(ulong*)(image + RegistersAt + (16 * i) + 8) = x.SignExponent;
        }

        int size = XmmAt;
        if ((s->Cr4 & Cr4.OSFXSR) != 0)
        {
            int registers = s->In64BitCode ? 16 : 8;
            Unsafe.CopyBlock(image + XmmAt, s->XmmRegisters, (uint)(registers * sizeof(Xmm)));
            size += registers * sizeof(Xmm);
        }

        return MemoryAccess.SlowStoreBytes(s, op, address, image, size);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool RestoreImage(CpuState* s, Op* op)
    {
        ulong address = AnyAddress.Of(s, op);
        byte* image = stackalloc byte[ImageSize];
        if (!IsAligned(s, op, address) || !Processor.Of(s).Probe(op, address + (ImageSize - 1), write: false)
            || !GuestBytes.Read(s, op, address, image, ImageSize))
        {
            return false;
        }

        bool sse = (s->Cr4 & Cr4.OSFXSR) != 0;
        uint mxcsr = *(uint*)(image + 24);
        if (sse && (mxcsr & ~MxcsrMask) != 0)
        {
            Flow.Fault(s, op, Vector.GeneralProtection);
            return false;
        }

        X87.SetControl(s, *(ushort*)image);
        X87.SetStatus(s, *(ushort*)(image + 2));
        s->FpuOpcode = (ushort)(*(ushort*)(image + 6) & 0x7FF);
        bool wide = (op->Bits & OpBits.Family) != 0;
        s->FpuIp = wide ? *(ulong*)(image + 8) : *(uint*)(image + 8);
        s->FpuDp = wide ? *(ulong*)(image + 16) : *(uint*)(image + 16);
        s->FpuSelectors = wide ? 0 : *(ushort*)(image + 12) | ((uint)*(ushort*)(image + 20) << 16);
        for (int i = 0; i < 8; i++)
        {
            byte* x = image + RegistersAt + (16 * i);
            FpuStack.Set(s, i, new Float80(*(ushort*)(x + 8), *(ulong*)x));
        }

        s->FpuTags = image[4];
        if (sse)
        {
            s->Mxcsr = mxcsr;
            int registers = s->In64BitCode ? 16 : 8;
            Unsafe.CopyBlock(s->XmmRegisters, image + XmmAt, (uint)(registers * sizeof(Xmm)));
        }

        return true;
    }
}
