using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using KprobeTrace.Cpu.Float;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Float;

/// <summary>The transcendental functions against MPFR, which rounds correctly: every bit, and the direction of rounding.</summary>
public sealed class TranscendentalReferenceTests
{
    private const int RecordSize = 22;
    private const int ResultSize = 11;
    private const int MaxReports = 20;
    private const ulong Seed = 0x9E3779B97F4A7C15;

    private delegate Float80 Function(Float80 top, Float80 second, ref FloatStatus status);

    /// <summary>What the reference calls it, how it is computed, and the exponents of its operands.</summary>
    private static readonly Dictionary<string, (byte Number, Function Compute, int Least, int Most)> _functions = new()
    {
        ["f2xm1"] = (0, (a, _, ref s) => X87Float.PowerOfTwoMinusOne(a, ref s), -16445, -1),
        ["fsin"] = (1, (a, _, ref s) => Angle(a, X87Angle.Sine, ref s), -16445, 62),
        ["fcos"] = (2, (a, _, ref s) => Angle(a, X87Angle.Cosine, ref s), -16445, 62),
        ["fptan"] = (3, (a, _, ref s) => Angle(a, X87Angle.Tangent, ref s), -16445, 62),
        ["fyl2x"] = (4, (a, b, ref s) => X87Float.Logarithm(b, a, ref s), -16445, 16383),
        ["fyl2xp1"] = (5, (a, b, ref s) => X87Float.LogarithmOfOnePlus(b, a, ref s), -16445, 16383),
        ["fpatan"] = (6, (a, b, ref s) => X87Float.Arctangent(b, a, ref s), -16445, 16383),
    };

    public static TheoryData<string> Functions => [.. _functions.Keys];

    private static int Operands =>
        Environment.GetEnvironmentVariable("KPROBETRACE_MPFR_OPERANDS") is { Length: > 0 } count ? int.Parse(count, CultureInfo.InvariantCulture) : 20_000;

    [MpfrTheory]
    [MemberData(nameof(Functions))]
    public void Results_are_correctly_rounded_in_every_direction(string name)
    {
        byte[] records = Records(name, Operands);
        byte[] expected = Reference(records);
        List<string> wrong = [];
        int different = 0;
        for (int i = 0; i < Operands; i++)
        {
            ReadOnlySpan<byte> record = records.AsSpan(i * RecordSize, RecordSize);
            ReadOnlySpan<byte> right = expected.AsSpan(i * ResultSize, ResultSize);
            Float80 top = Number(record[2..]);
            Float80 second = Number(record[12..]);
            FloatStatus status = FloatStatus.FromControlWord(0x33Fu | ((uint)record[1] << 10));
            Float80 result = _functions[name].Compute(top, second, ref status);
            if (result != Number(right) || status.RoundedUp != (right[10] != 0))
            {
                different++;
                if (wrong.Count < MaxReports)
                {
                    wrong.Add($"{name} {Hex(top)} {Hex(second)} {status.Rounding}: {Hex(result)} {status.RoundedUp}, MPFR {Hex(Number(right))} {right[10] != 0}");
                }
            }
        }

        Assert.True(different == 0, $"{different} of {Operands}\n{string.Join('\n', wrong)}");
    }

    private static Float80 Angle(Float80 a, X87Angle function, ref FloatStatus status) =>
        X87Float.Trigonometric(a, function, out _, out _, ref status);

    /// <summary>Function, rounding mode, ST(0) and ST(1): operands of every size, half of them where the functions turn.</summary>
    private static byte[] Records(string name, int count)
    {
        (byte number, _, int least, int most) = _functions[name];
        byte[] records = new byte[count * RecordSize];
        ulong random = Seed ^ number;
        for (int i = 0; i < count; i++)
        {
            Span<byte> record = records.AsSpan(i * RecordSize, RecordSize);
            record[0] = number;
            record[1] = (byte)(Next(ref random) & 3);
            Float80 top = Operand(ref random, least, most);

            // The logarithm of a negative number is another matter.
            bool onlyPositive = name == "fyl2x" || (name == "fyl2xp1" && top.Field >= Float80.Bias);
            Write(record[2..], top, onlyPositive);
            Write(record[12..], Operand(ref random, -16445, 16383), false);
        }

        return records;
    }

    /// <summary>A number with one of the given exponents: any, or near 1, with a random or a sparse significand.</summary>
    private static Float80 Operand(ref ulong random, int least, int most)
    {
        int exponent = (Next(ref random) & 3) switch
        {
            0 => least + (int)(Next(ref random) % (ulong)(most - least + 1)),
            1 => Math.Clamp((int)(Next(ref random) % 150) - 100, least, most),
            _ => Math.Clamp((int)(Next(ref random) % 8) - 5, least, most),
        };
        ulong mantissa = (Next(ref random) & 7) switch
        {
            0 => Next(ref random) << (int)(Next(ref random) & 63),
            1 => ulong.MaxValue << (int)(Next(ref random) & 63),
            2 => Next(ref random) & 0xFF,
            _ => Next(ref random),
        };
        mantissa |= Float80.IntegerBit;
        bool negative = (Next(ref random) & 1) != 0;
        ushort sign = negative ? (ushort)0x8000 : (ushort)0;
        return exponent >= Float80.MinExponent
            ? new Float80((ushort)(sign | (exponent + Float80.Bias)), mantissa)
            : new Float80(sign, mantissa >> (Float80.MinExponent - exponent));
    }

    private static ulong Next(ref ulong state)
    {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state * 0x2545F4914F6CDD1D;
    }

    private static byte[] Reference(byte[] records)
    {
        ProcessStartInfo start = new(MpfrTheoryAttribute.Program!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        Task writing = Task.Run(() =>
        {
            process.StandardInput.BaseStream.Write(records);
            process.StandardInput.Close();
        });
        byte[] results = new byte[records.Length / RecordSize * ResultSize];
        process.StandardOutput.BaseStream.ReadExactly(results);
        writing.Wait();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return results;
    }

    private static void Write(Span<byte> to, Float80 number, bool onlyPositive)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(to, number.Mantissa);
        BinaryPrimitives.WriteUInt16LittleEndian(to[8..], (ushort)(onlyPositive ? number.SignExponent & 0x7FFF : number.SignExponent));
    }

    private static Float80 Number(ReadOnlySpan<byte> from) =>
        new(BinaryPrimitives.ReadUInt16LittleEndian(from[8..]), BinaryPrimitives.ReadUInt64LittleEndian(from));

    private static string Hex(Float80 x) => $"{x.SignExponent:x4}:{x.Mantissa:x16}";
}
