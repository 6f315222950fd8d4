using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <content>Control, environment and state.</content>
internal static unsafe partial class X87
{
    /// <summary>FNOP and the 287's FNENI, FNDISI and FNSETPM.</summary>
    public static bool Nothing(CpuState* s, Op* op) => true;

    /// <summary>FNINIT.</summary>
    public static bool Initialize(CpuState* s, Op* op)
    {
        FpuStack.Initialize(s);
        return true;
    }

    /// <summary>FNCLEX.</summary>
    public static bool ClearExceptions(CpuState* s, Op* op)
    {
        s->FpuStatus &= unchecked((ushort)~(FpuStatus.Pending | FpuStatus.StackFault | (int)FloatFlags.All));
        return true;
    }

    /// <summary>FINCSTP.</summary>
    public static bool IncrementTop(CpuState* s, Op* op) => Rotate(s, 1);

    /// <summary>FDECSTP.</summary>
    public static bool DecrementTop(CpuState* s, Op* op) => Rotate(s, -1);

    private static bool Rotate(CpuState* s, int by)
    {
        s->FpuTop = (s->FpuTop + by) & 7;
        FpuStack.SetConditions(s, FpuStatus.C1, 0);
        return true;
    }

    /// <summary>FFREE, and FFREEP which pops too.</summary>
    public static bool Free(CpuState* s, Op* op)
    {
        FpuStack.Free(s, op->Destination);
        PopTimes(s, op);
        return true;
    }

    /// <summary>FNSTCW.</summary>
    public static bool StoreControl(CpuState* s, Op* op) => Write(s, op, s->FpuControl);

    /// <summary>FLDCW.</summary>
    public static bool LoadControl(CpuState* s, Op* op)
    {
        byte* p = MemoryAccess.Load<ushort>(s, op, AnyAddress.Of(s, op));
        if (p == null)
        {
            return false;
        }

        SetControl(s, *(ushort*)p);
        FpuStack.UpdateSummary(s);
        return true;
    }

    /// <summary>FNSTSW to memory.</summary>
    public static bool StoreStatus(CpuState* s, Op* op) => Write(s, op, FpuStack.StatusWord(s));

    /// <summary>FNSTSW to AX.</summary>
    public static bool StoreStatusAx(CpuState* s, Op* op)
    {
        *(ushort*)s->R = FpuStack.StatusWord(s);
        return true;
    }

    /// <summary>Bits 6, 7 and 13 to 15 of the control word are fixed.</summary>
    internal static void SetControl(CpuState* s, ushort value) => s->FpuControl = (ushort)((value & 0x1F3F) | 0x40);

    /// <summary>Sets the status word with TOP and recomputes what is pending.</summary>
    internal static void SetStatus(CpuState* s, ushort value)
    {
        s->FpuStatus = (ushort)(value & ~0x3800);
        s->FpuTop = (value >> 11) & 7;
        FpuStack.UpdateSummary(s);
    }

    /// <summary>FNSTENV with 32-bit operands.</summary>
    public static bool StoreEnvironment32(CpuState* s, Op* op) => StoreEnvironment<uint>(s, op, registers: false);

    /// <summary>FNSTENV with 16-bit operands.</summary>
    public static bool StoreEnvironment16(CpuState* s, Op* op) => StoreEnvironment<ushort>(s, op, registers: false);

    /// <summary>FNSAVE with 32-bit operands.</summary>
    public static bool Save32(CpuState* s, Op* op) => StoreEnvironment<uint>(s, op, registers: true);

    /// <summary>FNSAVE with 16-bit operands.</summary>
    public static bool Save16(CpuState* s, Op* op) => StoreEnvironment<ushort>(s, op, registers: true);

    /// <summary>FLDENV with 32-bit operands.</summary>
    public static bool LoadEnvironment32(CpuState* s, Op* op) => LoadEnvironment<uint>(s, op, registers: false);

    /// <summary>FLDENV with 16-bit operands.</summary>
    public static bool LoadEnvironment16(CpuState* s, Op* op) => LoadEnvironment<ushort>(s, op, registers: false);

    /// <summary>FRSTOR with 32-bit operands.</summary>
    public static bool Restore32(CpuState* s, Op* op) => LoadEnvironment<uint>(s, op, registers: true);

    /// <summary>FRSTOR with 16-bit operands.</summary>
    public static bool Restore16(CpuState* s, Op* op) => LoadEnvironment<ushort>(s, op, registers: true);

    private static bool StoreEnvironment<T>(CpuState* s, Op* op, bool registers)
        where T : unmanaged
    {
        byte* image = stackalloc byte[108];
        int size;
        bool real = (s->Cr0 & Cr0.PE) == 0 || (s->SystemFlags & Rflags.VM) != 0;
        if (sizeof(T) == 4)
        {
            uint* e = (uint*)image;
            e[0] = 0xFFFF0000u | s->FpuControl;
            e[1] = 0xFFFF0000u | FpuStack.StatusWord(s);
            e[2] = 0xFFFF0000u | FpuStack.TagWord(s);
            if (real)
            {
                ulong linear = s->FpuIp + ((s->FpuSelectors & 0xFFFFul) << 4);
                ulong operand = s->FpuDp + ((ulong)(s->FpuSelectors >> 16) << 4);
                e[3] = 0xFFFF0000u | (ushort)linear;
                e[4] = s->FpuOpcode | (uint)((linear >> 16) & 0xFFFF) << 12;
                e[5] = 0xFFFF0000u | (ushort)operand;
                e[6] = (uint)((operand >> 16) & 0xFFFF) << 12;
            }
            else
            {
                e[3] = (uint)s->FpuIp;
                e[4] = (s->FpuSelectors & 0xFFFF) | ((uint)s->FpuOpcode << 16);
                e[5] = (uint)s->FpuDp;
                e[6] = 0xFFFF0000u | (s->FpuSelectors >> 16);
            }

            size = 28;
        }
        else
        {
            ushort* e = (ushort*)image;
            e[0] = s->FpuControl;
            e[1] = FpuStack.StatusWord(s);
            e[2] = FpuStack.TagWord(s);
            e[3] = (ushort)s->FpuIp;
            e[4] = (ushort)s->FpuSelectors;
            e[5] = (ushort)s->FpuDp;
            e[6] = (ushort)(s->FpuSelectors >> 16);
            if (real)
            {
                ulong linear = s->FpuIp + ((s->FpuSelectors & 0xFFFFul) << 4);
                ulong operand = s->FpuDp + ((ulong)(s->FpuSelectors >> 16) << 4);
                e[3] = (ushort)linear;
                e[4] = (ushort)(s->FpuOpcode | (((linear >> 16) & 0xF) << 12));
                e[5] = (ushort)operand;
                e[6] = (ushort)(((operand >> 16) & 0xF) << 12);
            }

            size = 14;
        }

        if (registers)
        {
            for (int i = 0; i < 8; i++, size += 10)
            {
                Float80 x = FpuStack.Get(s, i);
                *(Extended10*)(image + size) = new Extended10 { Low = x.Mantissa, High = x.SignExponent };
            }
        }

        ulong address = AnyAddress.Of(s, op);
        if (!Processor.Of(s).ProbeStore(op, address, sizeof(T))
            || !Processor.Of(s).Probe(op, address + (ulong)(size - 1), write: true)
            || !MemoryAccess.SlowStoreBytes(s, op, address, image, size))
        {
            return false;
        }

        if (registers)
        {
            FpuStack.Initialize(s);
        }
        else
        {
            s->FpuControl |= (int)FloatFlags.All;
            FpuStack.UpdateSummary(s);
        }

        return true;
    }

    private static bool LoadEnvironment<T>(CpuState* s, Op* op, bool registers)
        where T : unmanaged
    {
        byte* image = stackalloc byte[108];
        int header = sizeof(T) * 7;
        ulong address = AnyAddress.Of(s, op);
        int size = registers ? header + 80 : header;
        if (MemoryAccess.SlowLoad(s, op, address, sizeof(T)) == null
            || !Processor.Of(s).Probe(op, address + (ulong)(size - 1), write: false)
            || !GuestBytes.Read(s, op, address, image, size))
        {
            return false;
        }

        bool real = (s->Cr0 & Cr0.PE) == 0 || (s->SystemFlags & Rflags.VM) != 0;
        SetControl(s, (ushort)Field<T>(image, 0));
        SetStatus(s, (ushort)Field<T>(image, 1));
        FpuStack.SetTagWord(s, (ushort)Field<T>(image, 2));
        uint ip = Field<T>(image, 3);
        uint selector = Field<T>(image, 4);
        uint dp = Field<T>(image, 5);
        uint dataSelector = Field<T>(image, 6);
        if (real)
        {
            s->FpuIp = (ushort)ip | ((selector & 0x0FFFF000) << 4);
            s->FpuDp = (ushort)dp | ((dataSelector & 0x0FFFF000) << 4);
            s->FpuOpcode = (ushort)(selector & 0x7FF);
            s->FpuSelectors = 0;
        }
        else
        {
            s->FpuIp = ip;
            s->FpuDp = dp;
            s->FpuSelectors = (ushort)selector | (dataSelector << 16);
            s->FpuOpcode = sizeof(T) == 4 ? (ushort)((selector >> 16) & 0x7FF) : (ushort)0;
        }

        if (registers)
        {
            byte tags = s->FpuTags;
            for (int i = 0; i < 8; i++)
            {
                Extended10* x = (Extended10*)(image + header + (10 * i));
                FpuStack.Set(s, i, new Float80(x->High, x->Low));
            }

            s->FpuTags = tags;
        }

        return true;
    }

    private static uint Field<T>(byte* image, int index)
        where T : unmanaged => sizeof(T) == 4 ? ((uint*)image)[index] : ((ushort*)image)[index];
}
