using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <content>Values that some instructions need so that more than their error paths run.</content>
internal sealed partial class CaseGenerator
{
    // No null selector but 0: a return from an interrupt clears the others' low bits in DS, ES, FS and GS, at any moment.
    // No selector of Linux's per-CPU entry 0x78: its limit tells which CPU the process is on.
    private static readonly ushort[] _selectors =
    [
        0, 0x08, 0x0b, 0x10, 0x13, 0x18, 0x1b, 0x20, 0x23, 0x28, 0x2b, 0x30, 0x33, 0x38, 0x3b, 0x40, 0x48, 0x4b,
        0x04, 0x07, 0x0c, 0x50, 0x53, 0x5b, 0x60, 0x63, 0x68, 0x6b, 0x73, 0x80, 0x83, 0x87, 0xff, 0x100, 0xfffb, 0xfff8,
    ];

    private void Specialise(ref Instruction instruction)
    {
        switch (_form.Mnemonic)
        {
            case Mnemonic.Div or Mnemonic.Idiv:
                SpecialiseDivide(instruction);
                break;
            case Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc:
                SpecialiseBitString(instruction);
                break;
            case Mnemonic.Cmpxchg8b:
                SpecialiseCompareExchange(instruction, 8);
                break;
            case Mnemonic.Cmpxchg16b:
                SpecialiseCompareExchange(instruction, 16);
                break;
            case Mnemonic.Ret:
                Patch(_state.Gpr[GprIndex.Rsp], BranchTarget(reach32: false), 8);
                break;
            case Mnemonic.Call or Mnemonic.Jmp when instruction.Op0Kind is OpKind.Register or OpKind.Memory:
                SpecialiseIndirect(instruction);
                break;
            case Mnemonic.Retf:
                SpecialiseFarStack(_form.Code.ToString(), "Retf", flags: false);
                break;
            case Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq:
                SpecialiseFarStack(_form.Code.ToString(), "Iret", flags: true);
                break;
            case Mnemonic.Int:
                AvoidSystemCall(ref instruction);
                break;
            case Mnemonic.Ldmxcsr:
                ulong mxcsr = BitConverter.ToUInt32(_state.Fx, FxImages.MxcsrOffset) ^ (ulong)_random.Below(0x10000);
                PatchAtOperand(instruction, 0, _random.Chance(85) ? mxcsr : FxImages.RefusedMxcsr(_random), 4);
                AvoidUnpatched(instruction);
                break;
            case Mnemonic.Fxrstor or Mnemonic.Fxrstor64:
                AvoidUnpatched(instruction);
                break;
            case Mnemonic.Maskmovq or Mnemonic.Maskmovdqu:
                SpecialiseMaskedStore(instruction);
                break;
            case Mnemonic.Enter:
                SpecialiseEnter(ref instruction);
                break;
            case Mnemonic.Leave:
                _state.Gpr[GprIndex.Rbp] = PlaceForStack(8);
                break;
            case Mnemonic.Mov when instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsSegmentRegister():
            case Mnemonic.Lar or Mnemonic.Lsl or Mnemonic.Verr or Mnemonic.Verw:
                SpecialiseSelector(instruction, instruction.OpCount - 1);
                break;
            case Mnemonic.Pop when instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsSegmentRegister():
                Patch(_state.Gpr[GprIndex.Rsp], Selector(), 2);
                break;
            case Mnemonic.Lfs or Mnemonic.Lgs or Mnemonic.Lss:
                PatchAtOperand(instruction, instruction.MemorySize.GetSize() - 2, Selector(), 2);
                break;
            case Mnemonic.Pcmpestri or Mnemonic.Pcmpestrm or Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64:
                SpecialiseStringCompare(instruction, explicitLength: true);
                break;
            case Mnemonic.Pcmpistri or Mnemonic.Pcmpistrm:
                SpecialiseStringCompare(instruction, explicitLength: false);
                break;
            default:
                if (_form.OpCode.CanUseRepPrefix)
                {
                    SpecialiseString(instruction);
                }
                else if (CountsByCl() && !_pinned[GprIndex.Rcx])
                {
                    _state.Gpr[GprIndex.Rcx] = (_state.Gpr[GprIndex.Rcx] & ~0xfful) | (byte)_random.Below(_random.Chance(20) ? 256 : 68);
                }

                break;
        }
    }

    private bool CountsByCl() =>
        _form.OpCode.OpCount > 0 && _form.OpCode.GetOpKind(_form.OpCode.OpCount - 1) == OpCodeOperandKind.cl;

    private ushort Selector() =>
        _random.Chance(5) ? (ushort)(_random.Next() | 0x100) : _random.Pick<ushort>(_selectors);

    /// <summary>Most random dividends overflow; this one mostly does not, or only just.</summary>
    private void SpecialiseDivide(in Instruction instruction)
    {
        if (_random.Chance(15) || _pinned[GprIndex.Rdx])
        {
            return;
        }

        bool signed = _form.Mnemonic == Mnemonic.Idiv;
        ulong rax = _state.Gpr[GprIndex.Rax];
        if (instruction.MemorySize.GetSize() == 1)
        {
            short small = (short)(_random.Below(600) - (signed ? 300 : 0));
            _state.Gpr[GprIndex.Rax] = (rax & ~0xfffful) | (ushort)small;
            return;
        }

        if (_random.Chance(60))
        {
            bool negative = signed && instruction.MemorySize.GetSize() switch
            {
                2 => (short)rax < 0,
                4 => (int)rax < 0,
                _ => (long)rax < 0,
            };
            _state.Gpr[GprIndex.Rdx] = negative ? ulong.MaxValue : 0;
        }
        else
        {
            _state.Gpr[GprIndex.Rdx] = (ulong)(long)(_random.Below(9) - (signed ? 4 : 0));
        }
    }

    /// <summary>A bit offset in a register reaches far beyond the operand in memory; keeps most of them in the test pages.</summary>
    private void SpecialiseBitString(in Instruction instruction)
    {
        if (instruction.Op0Kind != OpKind.Memory || instruction.Op1Kind != OpKind.Register || _random.Chance(10))
        {
            return;
        }

        int register = instruction.Op1Register.GetNumber();
        if (!_pinned[register] && !IsAddressPart(instruction, register))
        {
            long bits = _random.Below(0x8000) - 0x4000;
            ulong high = _state.Gpr[register] & 0xffff_ffff_0000_0000;
            _state.Gpr[register] = instruction.MemorySize.GetSize() == 8 ? (ulong)bits : high | (uint)bits;
        }
    }

    private static bool IsAddressPart(in Instruction instruction, int register) =>
        (instruction.MemoryBase != Register.None && instruction.MemoryBase.GetNumber() == register)
        || (instruction.MemoryIndex != Register.None && instruction.MemoryIndex.GetNumber() == register);

    private void SpecialiseCompareExchange(in Instruction instruction, int size)
    {
        if (_random.Chance(60))
        {
            PatchAtOperand(instruction, 0, _state.Gpr[GprIndex.Rax], size / 2);
            PatchAtOperand(instruction, size / 2, _state.Gpr[GprIndex.Rdx], size / 2);
        }
    }

    private void SpecialiseIndirect(in Instruction instruction)
    {
        ulong target = BranchTarget(reach32: false);
        if (instruction.Op0Kind == OpKind.Register)
        {
            int register = instruction.Op0Register.GetNumber();
            if (!_pinned[register])
            {
                _state.Gpr[register] = target;
            }

            return;
        }

        int size = instruction.MemorySize.GetSize();
        if (instruction.MemorySize is MemorySize.SegPtr16 or MemorySize.SegPtr32 or MemorySize.SegPtr64)
        {
            PatchAtOperand(instruction, 0, target, size - 2);
            PatchAtOperand(instruction, size - 2, FarSelector(), 2);
        }
        else
        {
            PatchAtOperand(instruction, 0, target, size);
        }
    }

    private ushort FarSelector() =>
        _random.Chance(70) ? _random.Pick<ushort>([OracleLayout.UserCode, OracleLayout.CompatibilityCode]) : Selector();

    /// <summary>Offset, code selector and, as popped from a stack, flags, stack pointer and stack selector.</summary>
    private void SpecialiseFarStack(string name, string prefix, bool flags)
    {
        int size = name[prefix.Length] switch
        {
            'w' => 2,
            'd' => 4,
            _ => 8,
        };
        ulong at = _state.Gpr[GprIndex.Rsp];
        ulong target = BranchTarget(reach32: false);
        Patch(at, target, size);

        // The manuals leave open whether a bad target or a bad selector is found first: only one of them is bad.
        bool mayRefuse = target <= uint.MaxValue || size < 8;
        ulong selector = mayRefuse ? FarSelector() : OracleLayout.UserCode;

        // Nor is said whether a far return looks at the stack of an outer level before it refuses the selector.
        selector |= flags ? 0 : 3ul;
        _unspecified |= !flags && at - OracleLayout.ReadOnlyBase < OracleLayout.PageSize;
        Patch(at + (ulong)size, selector | (_random.Next() << 16), size);
        if (!flags)
        {
            return;
        }

        const ulong Settable = 0x54dd5;
        ulong popped = _random.Chance(50) ? _state.Rflags : _random.Next() & Settable;
        Patch(at + (ulong)(size * 2), popped, size);
        Patch(at + (ulong)(size * 3), _random.Chance(70) ? PlaceForStack(8) : _random.Next(), size);
        Patch(at + (ulong)(size * 4), !mayRefuse || _random.Chance(80) ? OracleLayout.UserData : Selector(), size);
    }

    /// <summary>INT 80h would enter the host's kernel.</summary>
    private static void AvoidSystemCall(ref Instruction instruction)
    {
        if (instruction.Immediate8 == 0x80)
        {
            instruction.Immediate8 = 0x81;
        }
    }

    /// <summary>The read-only page may hold an MXCSR that some processors take: AMD's know bit 17.</summary>
    private void AvoidUnpatched(in Instruction instruction) =>
        _unspecified |= EffectiveAddress(instruction) - (OracleLayout.ReadOnlyBase - 512) < OracleLayout.PageSize + 512;

    /// <summary>Whether bytes that the mask leaves out can fault is open, so a store that may fault has none.</summary>
    private void SpecialiseMaskedStore(in Instruction instruction)
    {
        _state.Rflags &= ~AlignmentCheck;
        ulong segment = instruction.SegmentPrefix switch
        {
            Register.FS => OracleLayout.FsBase,
            Register.GS => OracleLayout.GsBase,
            _ => 0,
        };
        bool narrow = instruction.Op0Kind == OpKind.MemorySegEDI;
        ulong address = segment + Narrowed(_state.Gpr[GprIndex.Rdi], narrow);
        if (OracleLayout.WritableOffset(address, 16) is not null)
        {
            return;
        }

        int number = instruction.Op2Register.GetNumber();
        int start = instruction.Op2Register.IsMM()
            ? FxImages.MmxOffset(_state.Fx, number)
            : FxImages.XmmOffset + (number * 16);
        foreach (ref byte mask in _state.Fx.AsSpan(start, instruction.Op2Register.IsMM() ? 8 : 16))
        {
            mask |= 0x80;
        }
    }

    private void SpecialiseEnter(ref Instruction instruction)
    {
        if (_random.Chance(80))
        {
            instruction.Immediate8_2nd = (byte)(_random.Chance(50) ? 0 : _random.Below(34));
            instruction.Immediate16 = (ushort)_random.Below(0x300);
        }

        if (_random.Chance(80))
        {
            _state.Gpr[GprIndex.Rbp] = PlaceForStack(8);
        }
    }

    private void SpecialiseSelector(in Instruction instruction, int operand)
    {
        ushort selector = Selector();
        if (instruction.GetOpKind(operand) == OpKind.Register)
        {
            int register = instruction.GetOpRegister(operand).GetNumber();
            if (!_pinned[register])
            {
                _state.Gpr[register] = (_state.Gpr[register] & ~0xfffful) | selector;
            }
        }
        else
        {
            PatchAtOperand(instruction, 0, selector, 2);
        }
    }

    /// <summary>Few repetitions mostly; many run into a page border.</summary>
    private void SpecialiseString(in Instruction instruction)
    {
        if (_random.Chance(90))
        {
            ulong high = _random.Chance(80) ? 0 : _random.Next() << 32;
            _state.Gpr[GprIndex.Rcx] = high | (uint)_random.Below(_random.Chance(85) ? 40 : 5000);
        }

        if (_random.Chance(30))
        {
            // Source and destination that overlap, or are the same and so compare equal.
            _state.Gpr[GprIndex.Rsi] = _state.Gpr[GprIndex.Rdi] + (ulong)(long)(_random.Below(3) == 0 ? 0 : _random.Below(41) - 20);
        }

        if (_form.Mnemonic is Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd or Mnemonic.Cmpsq)
        {
            LeaveOneOperandSafe(instruction);
        }
    }

    /// <summary>The manuals do not say which operand of CMPS is read first, so only one of them may fault.</summary>
    private void LeaveOneOperandSafe(in Instruction instruction)
    {
        const ulong Middle = OracleLayout.DataBase + OracleLayout.PageSize;
        bool based = instruction.SegmentPrefix is Register.FS or Register.GS;
        int safe = !based && _random.Chance(50) ? GprIndex.Rsi : GprIndex.Rdi;
        _state.Gpr[GprIndex.Rcx] = (ulong)_random.Below(40);
        ulong aligned = (_state.Rflags & AlignmentCheck) != 0 ? ~7ul : ~0ul;
        _state.Gpr[safe] = (Middle + (ulong)_random.Below(1024) - 512) & aligned;
    }

    /// <summary>Strings over a small alphabet with terminators, and lengths around their limits.</summary>
    private void SpecialiseStringCompare(in Instruction instruction, bool explicitLength)
    {
        bool alphabet = _random.Chance(80);
        for (int i = 0; alphabet && i < 16; i++)
        {
            Span<byte> register = _state.Fx.AsSpan(FxImages.XmmOffset + (i * 16), 16);
            FillText(register);
        }

        if (alphabet && instruction.Op1Kind == OpKind.Memory)
        {
            byte[] text = new byte[16];
            FillText(text);
            PatchAtOperand(instruction, 0, text);
        }

        if (explicitLength && _random.Chance(85))
        {
            SetLength(GprIndex.Rax);
            SetLength(GprIndex.Rdx);
        }
    }

    private void SetLength(int register)
    {
        if (!_pinned[register])
        {
            _state.Gpr[register] = (ulong)(long)(_random.Below(40) - 20);
        }
    }

    private void FillText(Span<byte> text)
    {
        int letters = 1 + _random.Below(6);
        bool words = _random.Chance(40);
        for (int i = 0; i < text.Length; i++)
        {
            bool high = words && (i & 1) != 0;
            text[i] = (byte)(high ? 0 : (_random.Chance(8) ? 0 : 0x61 + _random.Below(letters)));
        }

        if (_random.Chance(30))
        {
            text.Sort();
        }
    }

    private void PatchAtOperand(in Instruction instruction, int displacement, ulong value, int size) =>
        PatchAtOperand(instruction, displacement, BitConverter.GetBytes(value)[..size]);

    private void PatchAtOperand(in Instruction instruction, int displacement, byte[] data)
    {
        if (EffectiveAddress(instruction) is ulong address)
        {
            Patch(address + (ulong)displacement, data);
        }
    }

    /// <summary>The linear address of the explicit memory operand, or null when there is none.</summary>
    private ulong? EffectiveAddress(in Instruction instruction)
    {
        foreach (UsedMemory memory in _information.GetInfo(instruction).GetUsedMemory())
        {
            // A RIP-relative operand is reported by its absolute address, without a base.
            Register wanted = instruction.IsIPRelativeMemoryOperand ? Register.None : instruction.MemoryBase;
            if (memory.Base != wanted || memory.Index != instruction.MemoryIndex)
            {
                continue;
            }

            bool narrow = memory.AddressSize == CodeSize.Code32;
            ulong address = memory.Displacement + (IndexValue(memory) * (ulong)memory.Scale);
            if (memory.Base is not Register.None and not Register.RIP and not Register.EIP)
            {
                address += _state.Gpr[memory.Base.GetNumber()];
            }

            ulong segment = memory.Segment switch
            {
                Register.FS => OracleLayout.FsBase,
                Register.GS => OracleLayout.GsBase,
                _ => 0,
            };
            return segment + Narrowed(address, narrow);
        }

        return null;
    }
}
