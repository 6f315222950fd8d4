using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Makes cases: the same seed, form and index always make the same case.</summary>
internal sealed partial class CaseGenerator(ulong seed)
{
    /// <summary>The AC flag.</summary>
    private const ulong AlignmentCheck = 0x40000;

    private readonly ulong _seed = seed;
    private readonly InstructionInfoFactory _information = new();
    private readonly ByteWriter _writer = new();
    private readonly List<MemoryPatch> _patches = [];
    private readonly bool[] _pinned = new bool[16];
    private Encoder? _encoder;
    private SeededRandom _random = new(0);
    private InstructionForm _form = new(Code.Nopd);
    private ProcessorState _state = new();
    private uint _codeOffset;

    /// <summary>
    /// Set when an offset is no canonical address but with its segment's base is, or the other way round: some processors
    /// check the one, some the other.
    /// </summary>
    private bool _unspecified;

    /// <summary>Case <paramref name="index"/> of a form.</summary>
    public TestCase Create(InstructionForm form, int index)
    {
        const int Attempts = 200;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            _random = new SeededRandom(_seed ^ form.Seed ^ ((ulong)index << 20) ^ (ulong)attempt);
            _random.Next();
            if (TryCreate(form, index) is TestCase made)
            {
                return made;
            }
        }

        throw new InvalidOperationException($"no case can be made of {form}");
    }

    private TestCase? TryCreate(InstructionForm form, int index)
    {
        _form = form;
        _state = InitialState();
        _patches.Clear();
        _unspecified = false;
        Array.Clear(_pinned);
        _codeOffset = CodeOffset();
        Instruction instruction = BuildInstruction();
        PlanMemory(ref instruction);
        Specialise(ref instruction);
        byte[]? bytes = Encode(instruction);
        if (bytes is null || _unspecified)
        {
            return null;
        }

        bytes = AddPrefixes(bytes);
        var decoder = Decoder.Create(64, bytes, _state.Rip);
        decoder.Decode(out Instruction decoded);
        if (decoded.Code != form.Code && !decoded.IsInvalid)
        {
            return null;
        }

        if (!decoded.IsInvalid && BranchesIntoItself(decoded))
        {
            return null;
        }

        return new TestCase
        {
            Form = form.Code,
            Index = index,
            Bytes = bytes,
            Instruction = decoded.IsInvalid ? instruction : decoded,
            CodeOffset = _codeOffset,
            Initial = _state,
            Patches = [.. _patches],
            StopsAtBreakpoint = (_state.Rflags & AlignmentCheck) != 0 || ContinuesElsewhere(instruction),
        };
    }

    /// <summary>The jump back reads a misaligned pointer, so it does not serve after POPF, which may set AC.</summary>
    private static bool ContinuesElsewhere(in Instruction instruction) =>
        instruction.FlowControl != FlowControl.Next || instruction.Mnemonic is Mnemonic.Popf or Mnemonic.Popfq;

    /// <summary>A branch to its own bytes would run other instructions, or itself for ever.</summary>
    private static bool BranchesIntoItself(in Instruction instruction)
    {
        bool near = instruction.Op0Kind is OpKind.NearBranch16 or OpKind.NearBranch32 or OpKind.NearBranch64;
        return near && instruction.NearBranchTarget - instruction.IP < (ulong)instruction.Length;
    }

    private ProcessorState InitialState()
    {
        var state = new ProcessorState { FsBase = OracleLayout.FsBase, GsBase = OracleLayout.GsBase };
        state.Segments[1] = OracleLayout.UserCode;
        state.Segments[2] = OracleLayout.UserData;
        for (int i = 0; i < 16; i++)
        {
            state.Gpr[i] = i > 0 && _random.Chance(8) ? state.Gpr[_random.Below(i)] : _random.Interesting();
        }

        const ulong Status = 0x8d5;
        const ulong Direction = 0x400;
        state.Rflags = 0x202 | (_random.Next() & Status) | (_random.Chance(25) ? Direction : 0)
            | (_random.Chance(3) ? AlignmentCheck : 0);
        FxImages.Fill(_random, state.Fx, ElementsOf(_form), UsesX87(_form) || _random.Chance(5));
        return state;
    }

    private uint CodeOffset()
    {
        // Whether UD0 and UD1 have the ModRM byte that Iced sees is up to the processor, and so is the fetch of its rest.
        bool lengthOpen = _form.Mnemonic is Mnemonic.Ud0 or Mnemonic.Ud1;
        int choice = lengthOpen ? 99 : _random.Below(100);
        return choice switch
        {
            < 6 => (uint)OracleLayout.PageSize - 1 - (uint)_random.Below(10),
            < 9 => (uint)OracleLayout.CodeSize - 1 - (uint)_random.Below(14),
            _ => 0x400 + (uint)_random.Below(0xa00),
        };
    }

    private byte[]? Encode(in Instruction instruction)
    {
        _encoder ??= Encoder.Create(64, _writer);
        _writer.Clear();
        _state.Rip = OracleLayout.CodeBase + _codeOffset;
        return _encoder.TryEncode(instruction, _state.Rip, out _, out _) ? _writer.ToArray() : null;
    }

    /// <summary>
    /// Sometimes adds a prefix: LOCK where it is legal and, rarely, where it is not (#UD); prefixes that change nothing;
    /// REP and REPNE before string instructions.
    /// </summary>
    private byte[] AddPrefixes(byte[] bytes)
    {
        OpCodeInfo info = _form.OpCode;
        // An instruction that is too long for its prefixes is another exception than one that may not be locked.
        if (bytes.Length >= 14)
        {
            return bytes;
        }

        if (info.CanUseRepPrefix && _random.Chance(60))
        {
            bool either = info.CanUseRepnePrefix;
            return [either && _random.Chance(50) ? (byte)0xf2 : (byte)0xf3, .. bytes];
        }

        // AMD executes VERR and VERW with LOCK.
        bool mayRefuse = _form.Mnemonic is not Mnemonic.Verr and not Mnemonic.Verw;
        if (_random.Chance(info.CanUseLockPrefix ? 20 : mayRefuse ? 1 : 0))
        {
            return [0xf0, .. bytes];
        }

        // Before near branches 66h means different things to AMD and Intel, and REP turns AMD's LOOPE and LOOPNE around.
        if (_random.Chance(92) || _form.Code.FlowControl() != FlowControl.Next)
        {
            return bytes;
        }

        byte prefix = _random.Pick<byte>([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3, 0x40, 0x42, 0x44, 0x4f]);
        byte[] longer = [prefix, .. bytes];
        return SameMeaning(bytes, longer) ? longer : bytes;
    }

    private bool SameMeaning(byte[] plain, byte[] longer)
    {
        Decoder.Create(64, plain, _state.Rip + 1).Decode(out Instruction first);
        Decoder.Create(64, longer, _state.Rip).Decode(out Instruction second);
        bool unusual = second.IsInvalid || second.HasRepPrefix != first.HasRepPrefix || second.HasRepnePrefix != first.HasRepnePrefix
            || second.SegmentPrefix != first.SegmentPrefix;
        bool harmless = second.SegmentPrefix is Register.None or Register.ES or Register.CS or Register.SS or Register.DS
            || (first.MemoryBase == Register.None && !UsesMemory(first));
        if (second.IsInvalid || !harmless || (_form.OpCode.CanUseRepPrefix && unusual))
        {
            return false;
        }

        // Equality ignores what merely repeats the encoding, but not these three; none of them means anything here.
        second.SegmentPrefix = first.SegmentPrefix;
        second.HasRepPrefix = first.HasRepPrefix;
        second.HasRepnePrefix = first.HasRepnePrefix;
        return first.Equals(second);
    }

    private static bool UsesMemory(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) is >= OpKind.MemorySegSI and <= OpKind.Memory)
            {
                return true;
            }
        }

        return false;
    }

    private static bool UsesX87(InstructionForm form) =>
        form.OpCode.ToInstructionString().StartsWith('F') || form.Code.CpuidFeatures().Contains(CpuidFeature.MMX)
        || form.Code.ToString().Contains("mm_", StringComparison.Ordinal);

    private static FxImages.Elements ElementsOf(InstructionForm form)
    {
        MemorySize element = form.MemorySize.GetElementType();
        return element switch
        {
            MemorySize.Float32 => FxImages.Elements.Single,
            MemorySize.Float64 => FxImages.Elements.Double,
            MemorySize.Unknown => FxImages.Elements.Mixed,
            _ => FxImages.Elements.Integer,
        };
    }

    private sealed class ByteWriter : CodeWriter
    {
        private readonly List<byte> _bytes = new(15);

        public void Clear() => _bytes.Clear();

        public byte[] ToArray() => [.. _bytes];

        public override void WriteByte(byte value) => _bytes.Add(value);
    }
}
