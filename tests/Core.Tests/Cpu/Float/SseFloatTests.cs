using KprobeTrace.Cpu.Float;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Float;

/// <summary>Single and double precision against recorded results, and against what C# defines exactly.</summary>
public sealed class SseFloatTests
{
    private const uint AllMasked = 0x1F80;

    private delegate ulong Operation(ulong a, ulong b, ref FloatStatus status);

    [Fact]
    public void Recorded_results_and_exceptions_agree()
    {
        var wrong = new List<string>();
        foreach (string[] row in NumberTable.Rows("Float/Tables/sse-scalar.txt"))
        {
            uint mxcsr = (uint)NumberTable.Hex(row[1]);
            FloatStatus status = FloatStatus.FromMxcsr(mxcsr);
            ulong result = Named(row[0])(NumberTable.Hex(row[2]), NumberTable.Hex(row[3]), ref status);
            bool raised = row[4] == "-";
            bool same = status.Unmasked == raised
                && (mxcsr | (uint)status.Reported) == NumberTable.Hex(row[5])
                && (raised || result == NumberTable.Hex(row[4]));
            if (!same)
            {
                wrong.Add($"{string.Join(' ', row)}: {result:x} {(uint)status.Reported:x}");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Double_arithmetic_equals_that_of_the_language()
    {
        var random = new Random(1);
        for (int i = 0; i < 40_000; i++)
        {
            ulong a = Operand64(random);
            ulong b = Operand64(random);
            double x = BitConverter.UInt64BitsToDouble(a);
            double y = BitConverter.UInt64BitsToDouble(b);

            AssertSame64(x + y, SseFloat<Binary64>.Add, a, b);
            AssertSame64(x - y, SseFloat<Binary64>.Subtract, a, b);
            AssertSame64(x * y, SseFloat<Binary64>.Multiply, a, b);
            AssertSame64(x / y, SseFloat<Binary64>.Divide, a, b);
            AssertSame64(Math.Sqrt(x), (ulong p, ulong _, ref FloatStatus s) => SseFloat<Binary64>.SquareRoot(p, ref s), a, b);
        }
    }

    [Fact]
    public void Single_arithmetic_equals_that_of_the_language()
    {
        var random = new Random(2);
        for (int i = 0; i < 40_000; i++)
        {
            uint a = Operand32(random);
            uint b = Operand32(random);
            float x = BitConverter.UInt32BitsToSingle(a);
            float y = BitConverter.UInt32BitsToSingle(b);

            AssertSame32(x + y, SseFloat<Binary32>.Add, a, b);
            AssertSame32(x - y, SseFloat<Binary32>.Subtract, a, b);
            AssertSame32(x * y, SseFloat<Binary32>.Multiply, a, b);
            AssertSame32(x / y, SseFloat<Binary32>.Divide, a, b);
            AssertSame32(MathF.Sqrt(x), (ulong p, ulong _, ref FloatStatus s) => SseFloat<Binary32>.SquareRoot(p, ref s), a, b);
        }
    }

    [Fact]
    public void The_shortcut_through_the_host_changes_nothing()
    {
        var random = new Random(3);
        Operation[] operations =
        [
            SseFloat<Binary64>.Add, SseFloat<Binary64>.Subtract, SseFloat<Binary64>.Multiply, SseFloat<Binary64>.Divide,
            (ulong a, ulong _, ref FloatStatus s) => SseFloat<Binary64>.SquareRoot(a, ref s),
        ];
        for (int i = 0; i < 40_000; i++)
        {
            Operation operation = operations[i % operations.Length];
            ulong a = Operand64(random);
            ulong b = Operand64(random);
            FloatStatus quick = FloatStatus.FromMxcsr(AllMasked | (uint)FloatFlags.Precision);
            FloatStatus slow = quick;
            slow.HostExact = false;

            ulong quickResult = operation(a, b, ref quick);
            ulong slowResult = operation(a, b, ref slow);

            Assert.True(quick.HostExact);
            Assert.Equal(slowResult, quickResult);
            Assert.Equal(slow.Flags | FloatFlags.Precision, quick.Flags | FloatFlags.Precision);
        }
    }

    private static void AssertSame64(double expected, Operation operation, ulong a, ulong b)
    {
        FloatStatus status = FloatStatus.FromMxcsr(AllMasked);
        double actual = BitConverter.UInt64BitsToDouble(operation(a, b, ref status));
        bool same = double.IsNaN(expected)
            ? double.IsNaN(actual)
            : BitConverter.DoubleToUInt64Bits(expected) == BitConverter.DoubleToUInt64Bits(actual);
        Assert.True(same, $"{a:x16} {b:x16}: {expected:R} {actual:R}");
    }

    private static void AssertSame32(float expected, Operation operation, uint a, uint b)
    {
        FloatStatus status = FloatStatus.FromMxcsr(AllMasked);
        float actual = BitConverter.UInt32BitsToSingle((uint)operation(a, b, ref status));
        bool same = float.IsNaN(expected)
            ? float.IsNaN(actual)
            : BitConverter.SingleToUInt32Bits(expected) == BitConverter.SingleToUInt32Bits(actual);
        Assert.True(same, $"{a:x8} {b:x8}: {expected:R} {actual:R}");
    }

    /// <summary>Exponents near each other, at the ends of the range or anywhere; few significand bits now and then.</summary>
    private static ulong Operand64(Random random)
    {
        ulong bits = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
        ulong field = random.Next(4) switch
        {
            0 => (ulong)random.Next(0, 60),
            1 => (ulong)random.Next(1990, 2048),
            2 => (ulong)random.Next(0, 2048),
            _ => (ulong)random.Next(1000, 1050),
        };
        ulong fraction = random.Next(3) == 0 ? bits & 0xF_0000_0000_0001 : bits & 0xF_FFFF_FFFF_FFFF;
        return (bits & (1UL << 63)) | (field << 52) | fraction;
    }

    private static uint Operand32(Random random)
    {
        uint bits = (uint)random.NextInt64(1L << 32);
        uint field = random.Next(4) switch
        {
            0 => (uint)random.Next(0, 30),
            1 => (uint)random.Next(230, 256),
            2 => (uint)random.Next(0, 256),
            _ => (uint)random.Next(115, 140),
        };
        uint fraction = random.Next(3) == 0 ? bits & 0x60_0001 : bits & 0x7F_FFFF;
        return (bits & (1U << 31)) | (field << 23) | fraction;
    }

    private static Operation Named(string name)
    {
        bool single = name.Contains("ss", StringComparison.Ordinal);
        if (name.StartsWith("cvt", StringComparison.Ordinal))
        {
            return Conversion(name);
        }

        int digit = name.AsSpan().IndexOfAnyInRange('0', '9');
        int number = digit < 0 ? 0 : int.Parse(name[digit..], System.Globalization.CultureInfo.InvariantCulture);
        return (digit < 0 ? name[..^2] : name[..(digit - 2)]) switch
        {
            "add" => single ? SseFloat<Binary32>.Add : SseFloat<Binary64>.Add,
            "sub" => single ? SseFloat<Binary32>.Subtract : SseFloat<Binary64>.Subtract,
            "mul" => single ? SseFloat<Binary32>.Multiply : SseFloat<Binary64>.Multiply,
            "div" => single ? SseFloat<Binary32>.Divide : SseFloat<Binary64>.Divide,
            "min" => single ? SseFloat<Binary32>.Minimum : SseFloat<Binary64>.Minimum,
            "max" => single ? SseFloat<Binary32>.Maximum : SseFloat<Binary64>.Maximum,
            "sqrt" => (ulong _, ulong b, ref FloatStatus s) =>
                single ? SseFloat<Binary32>.SquareRoot(b, ref s) : SseFloat<Binary64>.SquareRoot(b, ref s),
            "cmp" => (ulong a, ulong b, ref FloatStatus s) =>
                single ? (SseFloat<Binary32>.Holds(a, b, number, ref s) ? uint.MaxValue : 0)
                : SseFloat<Binary64>.Holds(a, b, number, ref s) ? ulong.MaxValue : 0,
            "round" => (ulong _, ulong b, ref FloatStatus s) => single
                ? SseFloat<Binary32>.RoundToIntegral(b, (RoundingMode)number, false, ref s)
                : SseFloat<Binary64>.RoundToIntegral(b, (RoundingMode)number, false, ref s),
            _ => throw new InvalidDataException(name),
        };
    }

    private static Operation Conversion(string name) => name switch
    {
        "cvtss2sd" => (ulong _, ulong b, ref FloatStatus s) => SseFloat<Binary64>.ConvertFrom<Binary32>(b, ref s),
        "cvtsd2ss" => (ulong _, ulong b, ref FloatStatus s) => SseFloat<Binary32>.ConvertFrom<Binary64>(b, ref s),
        "cvtss2si32" => (ulong _, ulong b, ref FloatStatus s) => (uint)SseFloat<Binary32>.ToInteger(b, 32, s.Rounding, ref s),
        "cvtss2si64" => (ulong _, ulong b, ref FloatStatus s) => (ulong)SseFloat<Binary32>.ToInteger(b, 64, s.Rounding, ref s),
        "cvttss2si64" => (ulong _, ulong b, ref FloatStatus s) => (ulong)SseFloat<Binary32>.ToInteger(b, 64, RoundingMode.Zero, ref s),
        "cvtsd2si32" => (ulong _, ulong b, ref FloatStatus s) => (uint)SseFloat<Binary64>.ToInteger(b, 32, s.Rounding, ref s),
        "cvtsd2si64" => (ulong _, ulong b, ref FloatStatus s) => (ulong)SseFloat<Binary64>.ToInteger(b, 64, s.Rounding, ref s),
        "cvttsd2si32" => (ulong _, ulong b, ref FloatStatus s) => (uint)SseFloat<Binary64>.ToInteger(b, 32, RoundingMode.Zero, ref s),
        "cvtsi2ss64" => (ulong a, ulong _, ref FloatStatus s) => SseFloat<Binary32>.FromInteger((long)a, ref s),
        "cvtsi2sd64" => (ulong a, ulong _, ref FloatStatus s) => SseFloat<Binary64>.FromInteger((long)a, ref s),
        "cvtsi2ss32" => (ulong a, ulong _, ref FloatStatus s) => SseFloat<Binary32>.FromInteger((int)a, ref s),
        _ => throw new InvalidDataException(name),
    };
}
