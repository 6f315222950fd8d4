using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <content>Operands of every kind that the legacy encoding knows.</content>
internal sealed partial class CaseGenerator
{
    private static readonly Register[] _bases64 =
    [
        Register.RAX, Register.RCX, Register.RDX, Register.RBX, Register.RSP, Register.RBP, Register.RSI, Register.RDI,
        Register.R8, Register.R9, Register.R10, Register.R11, Register.R12, Register.R13, Register.R14, Register.R15,
    ];

    private static readonly Register[] _bases32 =
    [
        Register.EAX, Register.ECX, Register.EDX, Register.EBX, Register.ESP, Register.EBP, Register.ESI, Register.EDI,
        Register.R8D, Register.R9D, Register.R10D, Register.R11D, Register.R12D, Register.R13D, Register.R14D, Register.R15D,
    ];

    private static readonly Register[] _bytes =
    [
        Register.AL, Register.CL, Register.DL, Register.BL, Register.AH, Register.CH, Register.DH, Register.BH,
        Register.SPL, Register.BPL, Register.SIL, Register.DIL,
        Register.R8L, Register.R9L, Register.R10L, Register.R11L, Register.R12L, Register.R13L, Register.R14L, Register.R15L,
    ];

    private static readonly Register[] _writableSegments = [Register.ES, Register.SS, Register.DS, Register.FS, Register.GS];

    private Instruction BuildInstruction()
    {
        Instruction instruction = default;
        instruction.Code = _form.Code;
        OpCodeInfo info = _form.OpCode;
        bool narrow = _random.Chance(20);
        for (int i = 0; i < info.OpCount; i++)
        {
            SetOperand(ref instruction, i, info.GetOpKind(i), narrow);
        }

        return instruction;
    }

    private void SetOperand(ref Instruction instruction, int i, OpCodeOperandKind kind, bool narrow)
    {
        switch (kind)
        {
            case OpCodeOperandKind.mem:
            case OpCodeOperandKind.mem_mib:
                SetMemory(ref instruction, i, narrow);
                break;
            case OpCodeOperandKind.mem_offs:
                SetOffset(ref instruction, i, narrow);
                break;
            case OpCodeOperandKind.r8_or_mem:
                SetRegisterOrMemory(ref instruction, i, _random.Pick<Register>(_bytes), narrow);
                break;
            case OpCodeOperandKind.r16_or_mem:
                SetRegisterOrMemory(ref instruction, i, Register.AX + _random.Below(16), narrow);
                break;
            case OpCodeOperandKind.r32_or_mem:
                SetRegisterOrMemory(ref instruction, i, Register.EAX + _random.Below(16), narrow);
                break;
            case OpCodeOperandKind.r64_or_mem:
                SetRegisterOrMemory(ref instruction, i, Register.RAX + _random.Below(16), narrow);
                break;
            case OpCodeOperandKind.mm_or_mem:
                SetRegisterOrMemory(ref instruction, i, Register.MM0 + _random.Below(8), narrow);
                break;
            case OpCodeOperandKind.xmm_or_mem:
                SetRegisterOrMemory(ref instruction, i, Register.XMM0 + _random.Below(16), narrow);
                break;
            case OpCodeOperandKind.seg_rSI:
                instruction.SetOpKind(i, narrow ? OpKind.MemorySegESI : OpKind.MemorySegRSI);
                SetSegment(ref instruction);
                break;
            case OpCodeOperandKind.es_rDI:
                instruction.SetOpKind(i, narrow ? OpKind.MemoryESEDI : OpKind.MemoryESRDI);
                break;
            case OpCodeOperandKind.seg_rDI:
                instruction.SetOpKind(i, narrow ? OpKind.MemorySegEDI : OpKind.MemorySegRDI);
                SetSegment(ref instruction);
                break;
            case OpCodeOperandKind.seg_rBX_al:
                instruction.SetOpKind(i, OpKind.Memory);
                instruction.MemoryBase = narrow ? Register.EBX : Register.RBX;
                instruction.MemoryIndex = Register.AL;
                SetSegment(ref instruction);
                break;
            default:
                if (RegisterOf(kind) is Register register)
                {
                    SetRegister(ref instruction, i, register);
                }
                else
                {
                    SetImmediateOrBranch(ref instruction, i, kind);
                }

                break;
        }
    }

    private Register? RegisterOf(OpCodeOperandKind kind) => kind switch
    {
        OpCodeOperandKind.r8_reg or OpCodeOperandKind.r8_opcode => _random.Pick<Register>(_bytes),
        OpCodeOperandKind.r16_reg or OpCodeOperandKind.r16_rm or OpCodeOperandKind.r16_opcode => Register.AX + _random.Below(16),
        OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_rm or OpCodeOperandKind.r32_opcode => Register.EAX + _random.Below(16),
        OpCodeOperandKind.r64_reg or OpCodeOperandKind.r64_rm or OpCodeOperandKind.r64_opcode => Register.RAX + _random.Below(16),
        OpCodeOperandKind.seg_reg when _form.Code is Code.Mov_Sreg_rm16 or Code.Mov_Sreg_r32m16 or Code.Mov_Sreg_r64m16 =>
            _random.Pick<Register>(_writableSegments),
        OpCodeOperandKind.seg_reg => Register.ES + _random.Below(6),
        OpCodeOperandKind.mm_reg or OpCodeOperandKind.mm_rm => Register.MM0 + _random.Below(8),
        OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_rm => Register.XMM0 + _random.Below(16),
        OpCodeOperandKind.cr_reg => _random.Pick<Register>([Register.CR0, Register.CR2, Register.CR3, Register.CR4, Register.CR8]),
        OpCodeOperandKind.dr_reg => Register.DR0 + _random.Below(8),
        OpCodeOperandKind.es => Register.ES,
        OpCodeOperandKind.cs => Register.CS,
        OpCodeOperandKind.ss => Register.SS,
        OpCodeOperandKind.ds => Register.DS,
        OpCodeOperandKind.fs => Register.FS,
        OpCodeOperandKind.gs => Register.GS,
        OpCodeOperandKind.al => Register.AL,
        OpCodeOperandKind.cl => Register.CL,
        OpCodeOperandKind.ax => Register.AX,
        OpCodeOperandKind.dx => Register.DX,
        OpCodeOperandKind.eax => Register.EAX,
        OpCodeOperandKind.rax => Register.RAX,
        OpCodeOperandKind.st0 => Register.ST0,
        OpCodeOperandKind.sti_opcode => Register.ST0 + _random.Below(8),
        _ => null,
    };

    private static void SetRegister(ref Instruction instruction, int i, Register register)
    {
        instruction.SetOpKind(i, OpKind.Register);
        instruction.SetOpRegister(i, register);
    }

    private void SetRegisterOrMemory(ref Instruction instruction, int i, Register register, bool narrow)
    {
        if (_random.Chance(50))
        {
            SetRegister(ref instruction, i, register);
        }
        else
        {
            SetMemory(ref instruction, i, narrow);
        }
    }

    private void SetImmediateOrBranch(ref Instruction instruction, int i, OpCodeOperandKind kind)
    {
        ulong value = _random.Interesting();
        OpKind operand;
        switch (kind)
        {
            case OpCodeOperandKind.imm8:
                // The second immediate of ENTER has an operand kind of its own.
                bool second = i > 0 && instruction.GetOpKind(i - 1) == OpKind.Immediate16;
                operand = second ? OpKind.Immediate8_2nd : OpKind.Immediate8;
                value = (byte)value;
                break;
            case OpCodeOperandKind.imm8_const_1:
                operand = OpKind.Immediate8;
                value = 1;
                break;
            case OpCodeOperandKind.imm8sex16:
                operand = OpKind.Immediate8to16;
                value = (ulong)(sbyte)value;
                break;
            case OpCodeOperandKind.imm8sex32:
                operand = OpKind.Immediate8to32;
                value = (ulong)(sbyte)value;
                break;
            case OpCodeOperandKind.imm8sex64:
                operand = OpKind.Immediate8to64;
                value = (ulong)(sbyte)value;
                break;
            case OpCodeOperandKind.imm16:
                operand = OpKind.Immediate16;
                value = (ushort)value;
                break;
            case OpCodeOperandKind.imm32:
                operand = OpKind.Immediate32;
                value = (uint)value;
                break;
            case OpCodeOperandKind.imm32sex64:
                operand = OpKind.Immediate32to64;
                value = (ulong)(int)value;
                break;
            case OpCodeOperandKind.imm64:
                operand = OpKind.Immediate64;
                break;
            case OpCodeOperandKind.br64_1:
                instruction.SetOpKind(i, OpKind.NearBranch64);
                instruction.NearBranch64 = ShortBranchTarget();
                return;
            case OpCodeOperandKind.br64_4:
                instruction.SetOpKind(i, OpKind.NearBranch64);
                instruction.NearBranch64 = BranchTarget(reach32: true);
                return;
            default:
                throw new NotSupportedException($"{_form}: operand kind {kind} is not generated");
        }

        instruction.SetOpKind(i, operand);
        switch (operand)
        {
            case OpKind.Immediate8_2nd:
                instruction.Immediate8_2nd = (byte)value;
                break;
            case OpKind.Immediate64:
                instruction.Immediate64 = value;
                break;
            default:
                instruction.SetImmediate(i, (long)value);
                break;
        }
    }

    private ulong ShortBranchTarget() =>
        OracleLayout.CodeBase + _codeOffset + (ulong)(long)(_random.Below(250) - 120);

    /// <summary>A place to branch to: an int3 mostly, else a page that is no code, none at all, or no address.</summary>
    private ulong BranchTarget(bool reach32)
    {
        ulong start = OracleLayout.CodeBase + _codeOffset;
        ulong target = AnyBranchTarget(reach32);
        return target - start < 16 ? start + 16 : target;
    }

    private ulong AnyBranchTarget(bool reach32)
    {
        int choice = _random.Below(reach32 ? 94 : 100);
        return choice switch
        {
            < 75 => OracleLayout.CodeBase + (ulong)_random.Below((int)OracleLayout.CodeSize),
            < 80 => OracleLayout.DataBase + (ulong)_random.Below((int)OracleLayout.DataSize),
            < 84 => OracleLayout.ReadOnlyBase + (ulong)_random.Below((int)OracleLayout.PageSize),
            < 89 => OracleLayout.CodeBase + OracleLayout.CodeSize + (ulong)_random.Below(64),
            < 94 => (ulong)_random.Below(0x6000_0000) + 0x4000_0000,
            < 96 => 0x0000_8000_0000_0000 + (_random.Next() >> 20),
            < 98 => _random.Next(),
            _ => 0x0000_1000_0000_0000 + (_random.Next() >> 24),
        };
    }
}
