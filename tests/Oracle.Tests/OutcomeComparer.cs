using System.Buffers.Binary;
using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Finds every difference between two outcomes of a case that the tables do not excuse.</summary>
internal static class OutcomeComparer
{
    /// <summary>CF PF AF ZF SF TF DF OF IOPL NT AC ID: RF, VM and the interrupt flags are the host kernel's.</summary>
    private const ulong ComparedFlags = 0x247dd5;

    private static readonly string[] _gprNames =
        ["RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"];

    private static readonly string[] _segmentNames = ["ES", "CS", "SS", "DS", "FS", "GS"];

    /// <summary>Lines that name a field, the processor's value and the interpreter's; empty when they agree.</summary>
    public static List<string> Compare(TestCase one, Outcome processor, Outcome interpreter)
    {
        var differences = new List<string>();
        if (processor.Kind != interpreter.Kind)
        {
            differences.Add($"ended: processor {Describe(processor)}, interpreter {Describe(interpreter)}");
            return differences;
        }

        UndefinedFields undefined = UndefinedTable.For(one, processor);
        if (processor.Kind == OutcomeKind.Fault)
        {
            CompareFaults(differences, processor.Fault, interpreter.Fault, undefined.FaultAddress);
        }

        CompareGeneral(differences, one, processor.State, interpreter.State, undefined);
        CompareSegments(differences, processor.State, interpreter.State);
        CompareFloating(differences, one, processor, interpreter, undefined);
        if (!undefined.Memory && (!undefined.Operand0 || one.Instruction.Op0Kind == OpKind.Register))
        {
            CompareMemory(differences, one, processor.Memory, interpreter.Memory);
        }

        return differences;
    }

    private static string Describe(Outcome outcome) => outcome.Kind switch
    {
        OutcomeKind.Fault => Describe(outcome.Fault),
        OutcomeKind.Completed => $"completed at {outcome.State.Rip:x}",
        _ => outcome.Kind.ToString(),
    };

    private static string Describe(Fault fault) => fault.Vector switch
    {
        14 => $"#PF({fault.Error:x}) at {fault.Address:x}",
        _ => $"vector {fault.Vector}({fault.Error:x})",
    };

    private static void CompareFaults(List<string> differences, Fault processor, Fault interpreter, bool openAddress)
    {
        // Linux reports every fault beyond the last page of a process as one of a present page.
        bool hidden = processor.Vector == 14 && processor.Address >= 0x7fff_ffff_f000;
        ulong error = hidden ? ~1ul : ~0ul;
        bool sameAddress = processor.Address == interpreter.Address
            || (openAddress && (SamePage(processor.Address, interpreter.Address) || Near(processor.Address, interpreter.Address)));
        if (processor.Vector != interpreter.Vector || ((processor.Error ^ interpreter.Error) & error) != 0
            || !sameAddress)
        {
            differences.Add($"exception: processor {Describe(processor)}, interpreter {Describe(interpreter)}");
        }
    }

    private static bool SamePage(ulong a, ulong b) => (a ^ b) < OracleLayout.PageSize;

    /// <summary>No operand is longer than the image of FXSAVE.</summary>
    private static bool Near(ulong a, ulong b) => a - b < 512 || b - a < 512;

    private static void CompareGeneral(
        List<string> differences, TestCase one, ProcessorState processor, ProcessorState interpreter, UndefinedFields undefined)
    {
        int skipped = undefined.Operand0 && one.Instruction.Op0Kind == OpKind.Register ? one.Instruction.Op0Register.GetNumber() : -1;
        for (int i = 0; i < 16; i++)
        {
            // The exception that ends a case in compatibility mode has a stack pointer of 32 bits to save.
            bool half = i == GprIndex.Rsp && processor.Segments[1] == OracleLayout.CompatibilityCode;
            ulong mask = half ? uint.MaxValue : ulong.MaxValue;
            if (i != skipped)
            {
                Add(differences, _gprNames[i], processor.Gpr[i] & mask, interpreter.Gpr[i] & mask);
            }
        }

        Add(differences, "RIP", processor.Rip, interpreter.Rip);
        ulong flags = ComparedFlags & ~undefined.Flags;
        if (((processor.Rflags ^ interpreter.Rflags) & flags) != 0)
        {
            string names = FlagNames((processor.Rflags ^ interpreter.Rflags) & flags);
            differences.Add($"RFLAGS ({names}): processor {processor.Rflags & flags:x}, interpreter {interpreter.Rflags & flags:x}");
        }
    }

    private static string FlagNames(ulong bits)
    {
        (ulong Bit, string Name)[] names =
        [
            (0x1, "CF"), (0x4, "PF"), (0x10, "AF"), (0x40, "ZF"), (0x80, "SF"), (0x100, "TF"), (0x400, "DF"), (0x800, "OF"),
            (0x3000, "IOPL"), (0x4000, "NT"), (0x40000, "AC"), (0x200000, "ID"),
        ];
        return string.Join(' ', names.Where(name => (bits & name.Bit) != 0).Select(name => name.Name));
    }

    private static void CompareSegments(
        List<string> differences, ProcessorState processor, ProcessorState interpreter)
    {
        for (int i = 0; i < 6; i++)
        {
            Add(differences, _segmentNames[i], Selector(processor, i), Selector(interpreter, i));
        }

        Add(differences, "FS base", processor.FsBase, interpreter.FsBase);
        Add(differences, "GS base", processor.GsBase, interpreter.GsBase);
    }

    /// <summary>A return from an interrupt may have cleared the low bits of a null selector in ES, DS, FS or GS.</summary>
    private static ushort Selector(ProcessorState state, int i) =>
        (state.Segments[i] & ~3) == 0 && i is not 1 and not 2 ? (ushort)0 : state.Segments[i];

    private static void CompareFloating(
        List<string> differences, TestCase one, Outcome processor, Outcome interpreter, UndefinedFields undefined)
    {
        byte[] expected = processor.State.Fx;
        byte[] actual = interpreter.State.Fx;
        Approximation? approximation = processor.Kind == OutcomeKind.Completed ? ApproximationTable.For(one.Instruction.Mnemonic) : null;
        ushort status = (ushort)~undefined.X87Status;
        if (approximation is { InX87: true })
        {
            // An approximated result may round the other way: C1 and the precision flag tell how.
            status &= unchecked((ushort)~0x220);
        }

        Add(differences, "FCW", BinaryPrimitives.ReadUInt16LittleEndian(expected), BinaryPrimitives.ReadUInt16LittleEndian(actual));
        if (undefined.X87)
        {
            status &= unchecked((ushort)~0x3800);
        }

        Add(
            differences,
            "FSW",
            (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(expected.AsSpan(2)) & status),
            (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(actual.AsSpan(2)) & status));
        if (!undefined.X87)
        {
            Add(differences, "FTW (abridged)", expected[4], actual[4]);
        }

        Add(
            differences,
            "MXCSR",
            BinaryPrimitives.ReadUInt32LittleEndian(expected.AsSpan(FxImages.MxcsrOffset)),
            BinaryPrimitives.ReadUInt32LittleEndian(actual.AsSpan(FxImages.MxcsrOffset)));
        for (int i = 0; i < 8 && !undefined.X87; i++)
        {
            Span<byte> a = expected.AsSpan(FxImages.RegistersOffset + (i * 16), 10);
            Span<byte> b = actual.AsSpan(FxImages.RegistersOffset + (i * 16), 10);
            if (!a.SequenceEqual(b) && !(approximation is { InX87: true } near && i < 2 && WithinUlps(a, b, near.Bound)))
            {
                differences.Add($"ST({i}): processor {Hex(a)}, interpreter {Hex(b)}");
            }
        }

        for (int i = 0; i < 16; i++)
        {
            Span<byte> a = expected.AsSpan(FxImages.XmmOffset + (i * 16), 16);
            Span<byte> b = actual.AsSpan(FxImages.XmmOffset + (i * 16), 16);
            if (!a.SequenceEqual(b) && !(approximation is { InX87: false } close && WithinRelative(a, b, close.Bound)))
            {
                differences.Add($"XMM{i}: processor {Hex(a)}, interpreter {Hex(b)}");
            }
        }
    }

    private static bool WithinRelative(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, double bound)
    {
        for (int at = 0; at < 16; at += 4)
        {
            if (a.Slice(at, 4).SequenceEqual(b.Slice(at, 4)))
            {
                continue;
            }

            double x = BinaryPrimitives.ReadSingleLittleEndian(a[at..]);
            double y = BinaryPrimitives.ReadSingleLittleEndian(b[at..]);
            if (!double.IsFinite(x) || !double.IsFinite(y) || Math.Abs(x - y) > bound * Math.Abs(x))
            {
                return false;
            }
        }

        return true;
    }

    private static bool WithinUlps(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, double bound)
    {
        UInt128 x = Ordinal(a);
        UInt128 y = Ordinal(b);
        UInt128 distance = x > y ? x - y : y - x;
        return a[9] >> 7 == b[9] >> 7 && distance <= (UInt128)bound;
    }

    /// <summary>Neighbouring numbers of one sign have neighbouring ordinals.</summary>
    private static UInt128 Ordinal(ReadOnlySpan<byte> number)
    {
        ulong significand = BinaryPrimitives.ReadUInt64LittleEndian(number);
        uint exponent = BinaryPrimitives.ReadUInt16LittleEndian(number[8..]) & 0x7fffu;
        return ((UInt128)exponent << 63) + (significand & (ulong.MaxValue >> 1));
    }

    private static void CompareMemory(
        List<string> differences, TestCase one, IReadOnlyList<MemoryWord> processor, IReadOnlyList<MemoryWord> interpreter)
    {
        if (processor.SequenceEqual(interpreter))
        {
            return;
        }

        Dictionary<uint, ulong> expected = processor.ToDictionary(word => word.Offset, word => word.Value);
        Dictionary<uint, ulong> actual = interpreter.ToDictionary(word => word.Offset, word => word.Value);
        foreach (uint offset in expected.Keys.Union(actual.Keys).Order().ToList())
        {
            ulong pristine = BinaryPrimitives.ReadUInt64LittleEndian(PristineMemory.Writable.AsSpan((int)offset));
            ulong a = expected.GetValueOrDefault(offset, pristine);
            ulong b = actual.GetValueOrDefault(offset, pristine);
            ulong mask = StoredPointers.ComparedBits(one, OracleLayout.WritableAddress(offset));
            if (((a ^ b) & mask) != 0)
            {
                Add(differences, $"[{OracleLayout.WritableAddress(offset):x}]", a & mask, b & mask);
            }
        }
    }

    private static void Add(List<string> differences, string name, ulong processor, ulong interpreter)
    {
        if (processor != interpreter)
        {
            differences.Add($"{name}: processor {processor:x}, interpreter {interpreter:x}");
        }
    }

    private static string Hex(ReadOnlySpan<byte> bytes)
    {
        Span<byte> reversed = stackalloc byte[bytes.Length];
        bytes.CopyTo(reversed);
        reversed.Reverse();
        return Convert.ToHexStringLower(reversed);
    }
}
