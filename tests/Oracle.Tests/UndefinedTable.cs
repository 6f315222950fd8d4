using System.Text.RegularExpressions;
using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>What an instruction leaves undefined (Tables/undefined.txt), worked out for one case.</summary>
internal static class UndefinedTable
{
    private static readonly List<(Regex Mnemonic, string[] Fields, string Condition)> _rows = TableFile.Lines("undefined.txt")
        .Select(fields => (TableFile.Glob(fields[0]), fields[1].Split(' '), fields[2]))
        .ToList();

    private static readonly Dictionary<Mnemonic, (string[] Fields, string Condition)[]> _byMnemonic =
        Enum.GetValues<Mnemonic>().Distinct().ToDictionary(mnemonic => mnemonic, Find);

    /// <summary>What of this case's outcome is not to be compared.</summary>
    public static UndefinedFields For(TestCase one, Outcome expected)
    {
        var undefined = default(UndefinedFields);
        foreach ((string[] fields, string condition) in _byMnemonic[one.Instruction.Mnemonic])
        {
            if (Holds(condition, one, expected))
            {
                undefined = fields.Aggregate(undefined, Add);
            }
        }

        return undefined;
    }

    private static (string[] Fields, string Condition)[] Find(Mnemonic mnemonic) =>
        _rows.Where(row => row.Mnemonic.IsMatch(mnemonic.ToString())).Select(row => (row.Fields, row.Condition)).ToArray();

    private static UndefinedFields Add(UndefinedFields undefined, string field) => field switch
    {
        "CF" => undefined with { Flags = undefined.Flags | 0x1 },
        "PF" => undefined with { Flags = undefined.Flags | 0x4 },
        "AF" => undefined with { Flags = undefined.Flags | 0x10 },
        "ZF" => undefined with { Flags = undefined.Flags | 0x40 },
        "SF" => undefined with { Flags = undefined.Flags | 0x80 },
        "OF" => undefined with { Flags = undefined.Flags | 0x800 },
        "C0" => undefined with { X87Status = (ushort)(undefined.X87Status | 0x100) },
        "C1" => undefined with { X87Status = (ushort)(undefined.X87Status | 0x200) },
        "C2" => undefined with { X87Status = (ushort)(undefined.X87Status | 0x400) },
        "C3" => undefined with { X87Status = (ushort)(undefined.X87Status | 0x4000) },
        "operand0" => undefined with { Operand0 = true },
        "x87" => undefined with { X87 = true },
        "memory" => undefined with { Memory = true },
        "address" => undefined with { FaultAddress = true },
        _ => throw new InvalidDataException($"undefined.txt: unknown field {field}"),
    };

    private static bool Holds(string condition, TestCase one, Outcome expected)
    {
        bool fault = expected.Kind == OutcomeKind.Fault;
        return condition switch
        {
            "fault" => fault,
            "far fault" => fault && one.Instruction.IsCallFarIndirect,
            _ => !fault && HoldsWhenCompleted(condition, one, expected),
        };
    }

    private static bool HoldsWhenCompleted(string condition, TestCase one, Outcome expected) => condition switch
    {
        "always" => true,
        "from memory" => one.Instruction.Op1Kind == OpKind.Memory,
        "count>0" => Count(one) > 0,
        "count>1" => Count(one) > 1,
        "count>=size" => Count(one) >= Size(one),
        "count>size" => Count(one) > Size(one),
        "size=16" => Size(one) == 16,
        "ZF=1" => (expected.State.Rflags & 0x40) != 0,
        _ => throw new InvalidDataException($"undefined.txt: unknown condition {condition}"),
    };

    private static int Size(TestCase one) => one.Instruction.Op0Kind == OpKind.Register
        ? one.Instruction.Op0Register.GetSize() * 8
        : one.Instruction.MemorySize.GetSize() * 8;

    private static int Count(TestCase one)
    {
        int last = one.Instruction.OpCount - 1;
        int count = one.Instruction.GetOpKind(last) == OpKind.Register
            ? (byte)one.Initial.Gpr[GprIndex.Rcx]
            : one.Instruction.Immediate8;
        return count & (Size(one) == 64 ? 63 : 31);
    }
}
