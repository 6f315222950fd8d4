using KprobeTrace.Cpu.Float;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Float;

/// <summary>Extended precision against results that a processor gave.</summary>
public sealed class X87FloatTests
{
    /// <summary>What an operation makes of the two topmost registers and 16 bytes of memory; returns C0 to C3 without C1.</summary>
    private delegate int Operation(ref Float80 top, ref Float80 second, ref ulong low, ref ulong high, ref FloatStatus status);

    private static readonly Dictionary<string, Operation> _operations = new()
    {
        ["fadd"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.Add(a, b, ref s)),
        ["fsub"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.Subtract(a, b, ref s)),
        ["fsubr"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.Subtract(b, a, ref s)),
        ["fmul"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.Multiply(a, b, ref s)),
        ["fdiv"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.Divide(a, b, ref s)),
        ["fdivr"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.Divide(b, a, ref s)),
        ["fsqrt"] = (ref Float80 a, ref Float80 _, ref ulong _, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.SquareRoot(a, ref s)),
        ["frndint"] = (ref Float80 a, ref Float80 _, ref ulong _, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.RoundToIntegral(a, ref s)),
        ["fscale"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.Scale(a, b, ref s)),
        ["fxtract"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.Extract(a, out b, ref s)),
        ["fcom"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Conditions(X87Float.Compare(a, b, true, ref s)),
        ["fucom"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Conditions(X87Float.Compare(a, b, false, ref s)),
        ["fprem"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Remainder(ref a, b, false, ref s),
        ["fprem1"] = (ref Float80 a, ref Float80 b, ref ulong _, ref ulong _, ref FloatStatus s) => Remainder(ref a, b, true, ref s),
        ["fld32"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.Load<Binary32>((uint)m, ref s)),
        ["fld64"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong _, ref FloatStatus s) => Top(ref a, X87Float.Load<Binary64>(m, ref s)),
        ["fild16"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong _, ref FloatStatus _) => Top(ref a, X87Float.FromInteger((short)m)),
        ["fild64"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong _, ref FloatStatus _) => Top(ref a, X87Float.FromInteger((long)m)),
        ["fbld"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong n, ref FloatStatus _) => Top(ref a, X87Float.FromDecimal(m, (ushort)n)),
        ["fst32"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong _, ref FloatStatus s) => Low(ref m, 32, X87Float.Store<Binary32>(a, ref s)),
        ["fst64"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong _, ref FloatStatus s) => Low(ref m, 64, X87Float.Store<Binary64>(a, ref s)),
        ["fist16"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong _, ref FloatStatus s) => Low(ref m, 16, (ulong)X87Float.ToInteger(a, 16, s.Rounding, ref s)),
        ["fist32"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong _, ref FloatStatus s) => Low(ref m, 32, (ulong)X87Float.ToInteger(a, 32, s.Rounding, ref s)),
        ["fistp64"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong _, ref FloatStatus s) => Low(ref m, 64, (ulong)X87Float.ToInteger(a, 64, s.Rounding, ref s)),
        ["fisttp32"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong _, ref FloatStatus s) => Low(ref m, 32, (ulong)X87Float.ToInteger(a, 32, RoundingMode.Zero, ref s)),
        ["fbstp"] = (ref Float80 a, ref Float80 _, ref ulong m, ref ulong n, ref FloatStatus s) =>
        {
            m = X87Float.ToDecimal(a, out ushort top, ref s);
            return Low(ref n, 16, top);
        },
    };

    [Fact]
    public void Recorded_results_rounding_and_exceptions_agree()
    {
        var wrong = new List<string>();
        foreach (string[] row in NumberTable.Rows("Float/Tables/x87.txt"))
        {
            if (!Agrees(row))
            {
                wrong.Add(string.Join(' ', row));
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Transcendental_functions_stay_within_one_unit_in_the_last_place_of_recorded_results()
    {
        var wrong = new List<string>();
        foreach (string[] row in NumberTable.Rows("Float/Tables/transcendental.txt"))
        {
            FloatStatus status = FloatStatus.FromControlWord((uint)NumberTable.Hex(row[1]));
            Float80 top = NumberTable.Extended(row[2]);
            Float80 second = NumberTable.Extended(row[3]);
            Float80 first = Evaluate(row[0], top, second, ref status, out Float80? other);
            bool same = IsNear(first, NumberTable.Extended(row[4]))
                && (other is null || IsNear(other.Value, NumberTable.Extended(row[5])))
                && (ulong)status.Reported == NumberTable.Hex(row[6]);
            if (!same)
            {
                wrong.Add($"{string.Join(' ', row)}: {first} {other} {status.Reported}");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Angles_from_two_to_the_63_on_are_out_of_range()
    {
        FloatStatus status = FloatStatus.FromControlWord(0x37F);
        var angle = new Float80(16383 + 63, 1UL << 63);

        Float80 result = X87Float.Trigonometric(angle, X87Angle.Sine, out bool outOfRange, out _, ref status);

        Assert.True(outOfRange);
        Assert.Equal(angle, result);
        Assert.Equal(FloatFlags.None, status.Flags);
    }

    [Fact]
    public void Angles_are_reduced_by_the_66_bit_pi()
    {
        FloatStatus status = FloatStatus.FromControlWord(0x37F);
        var pi = new Float80(0x4000, 0xC90FDAA22168C235);

        Float80 sine = X87Float.Trigonometric(pi, X87Angle.Sine, out _, out _, ref status);

        // The 64-bit pi exceeds the 66-bit one by exactly 2^-64.
        Assert.Equal(new Float80(0x8000 | (16383 - 64), 1UL << 63), sine);
    }

    private static Float80 Evaluate(string name, Float80 top, Float80 second, ref FloatStatus status, out Float80? other)
    {
        other = null;
        switch (name)
        {
            case "fsin":
                return X87Float.Trigonometric(top, X87Angle.Sine, out _, out _, ref status);
            case "fcos":
                return X87Float.Trigonometric(top, X87Angle.Cosine, out _, out _, ref status);
            case "fsincos":
                other = X87Float.Trigonometric(top, X87Angle.SineAndCosine, out _, out Float80 cosine, ref status);
                return cosine;
            case "fptan":
                other = X87Float.Trigonometric(top, X87Angle.Tangent, out _, out _, ref status);
                return other.Value.IsNaN ? other.Value : Float80.One;
            case "fpatan":
                return X87Float.Arctangent(second, top, ref status);
            case "f2xm1":
                return X87Float.PowerOfTwoMinusOne(top, ref status);
            case "fyl2x":
                return X87Float.Logarithm(second, top, ref status);
            case "fyl2xp1":
                return X87Float.LogarithmOfOnePlus(second, top, ref status);
            default:
                throw new InvalidDataException(name);
        }
    }

    private static bool IsNear(Float80 a, Float80 b) =>
        a == b || (a.SignExponent == b.SignExponent && (a.Mantissa == b.Mantissa + 1 || b.Mantissa == a.Mantissa + 1));

    /// <summary>Compares all of a row, with what unmasked exceptions leave undone.</summary>
    private static bool Agrees(string[] row)
    {
        FloatStatus status = FloatStatus.FromControlWord((uint)NumberTable.Hex(row[1]));
        Float80 top = NumberTable.Extended(row[2]);
        Float80 second = NumberTable.Extended(row[3]);
        ulong[] memory = row[4].Split(',').Select(NumberTable.Hex).ToArray();
        ulong low = memory[0];
        ulong high = memory[1];
        Float80 newTop = top;
        Float80 newSecond = second;
        int conditions = _operations[row[0]](ref newTop, ref newSecond, ref low, ref high, ref status);

        bool stores = row[0].StartsWith("fst", StringComparison.Ordinal) || row[0].StartsWith("fist", StringComparison.Ordinal)
            || row[0] == "fbstp";
        bool loads = row[0].StartsWith("fld", StringComparison.Ordinal);
        FloatFlags forbidding = stores ? FloatFlags.Invalid | FloatFlags.Overflow | FloatFlags.Underflow
            : loads ? FloatFlags.Invalid
            : FloatFlags.PreComputation;
        bool done = status.Masked(status.Reported & forbidding);
        bool compares = row[0] is "fcom" or "fucom";
        ulong word = (ulong)status.Reported | (status.Unmasked ? 0x8080u : 0)
            | (done && status.RoundedUp && !row[0].StartsWith("fprem", StringComparison.Ordinal) ? 0x200u : 0)
            | (done || compares ? (ulong)conditions : 0);
        return word == NumberTable.Hex(row[8])
            && (stores || loads || (done ? newTop : top) == NumberTable.Extended(row[5]) || (loads && !done))
            && (!loads || !done || newTop == NumberTable.Extended(row[5]))
            && (!stores || row[7] == $"{(done ? low : memory[0]):x},{(done ? high : memory[1]):x}");
    }

    private static int Top(ref Float80 top, Float80 value)
    {
        top = value;
        return 0;
    }

    private static int Low(ref ulong memory, int bits, ulong value)
    {
        ulong mask = ulong.MaxValue >> (64 - bits);
        memory = (memory & ~mask) | (value & mask);
        return 0;
    }

    private static int Conditions(FloatRelation relation) => relation switch
    {
        FloatRelation.Less => 0x100,
        FloatRelation.Equal => 0x4000,
        FloatRelation.Greater => 0,
        _ => 0x4500,
    };

    private static int Remainder(ref Float80 a, Float80 b, bool nearest, ref FloatStatus status)
    {
        a = X87Float.Remainder(a, b, nearest, out ulong quotient, out bool partial, ref status);
        return partial ? 0x400 : (int)(((quotient & 1) << 9) | ((quotient & 2) << 13) | ((quotient & 4) << 6));
    }
}
