using System.Globalization;
using System.Reflection;
using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Simd;

/// <summary>Lane functions against results that a processor gave; a row names the function.</summary>
public sealed unsafe class LanesTests
{
    [Fact]
    public void Recorded_results_and_exceptions_agree()
    {
        var wrong = new List<string>();
        foreach (string[] row in NumberTable.Rows("Simd/Tables/lanes.txt"))
        {
            uint mxcsr = (uint)NumberTable.Hex(row[3]);
            FloatStatus status = FloatStatus.FromMxcsr(mxcsr);
            Xmm a = Parse(row[4]);
            Xmm b = Parse(row[5]);
            Apply(Find(row[0] == "mmx", row[1]), &a, &b, (int)NumberTable.Hex(row[2]), ref status);
            Xmm expected = Parse(row[6]);
            bool same = a.Low == expected.Low && (row[0] == "mmx" || a.High == expected.High)
                && (mxcsr | (uint)status.Reported) == NumberTable.Hex(row[7]);
            if (!same)
            {
                wrong.Add($"{string.Join(' ', row)}: {a.High:x16}{a.Low:x16}");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Every_lane_function_has_a_recorded_row()
    {
        HashSet<string> recorded = NumberTable.Rows("Simd/Tables/lanes.txt").Select(row => row[1]).ToHashSet();
        string[] elsewhere =
        [
            // Approximations, MMX conversions and register-sized results are compared with the processor in Oracle.Tests.
            "Rcpps", "Rcpss", "Rsqrtps", "Rsqrtss", "Cvtpi2ps", "Cvtps2pi", "Cvttps2pi", "InsertpsMemory", "Pslldq", "Psrldq",
            "Pblendvb", "Blendvps", "Blendvpd", "Pmovmskb", "Movmskps", "Movmskpd",
        ];

        IEnumerable<string> missing = new[] { typeof(IntegerLanes), typeof(MmxLanes), typeof(FloatLanes) }
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Static))
            .Select(method => method.Name)
            .Distinct()
            .Where(name => !recorded.Contains(name) && !elsewhere.Contains(name));

        Assert.Empty(missing);
    }

    private static MethodInfo Find(bool mmx, string name) =>
        (mmx ? typeof(MmxLanes).GetMethod(name) : null)
        ?? typeof(IntegerLanes).GetMethod(name)
        ?? typeof(FloatLanes).GetMethod(name)
        ?? throw new InvalidDataException(name);

    private static void Apply(MethodInfo method, Xmm* a, Xmm* b, int immediate, ref FloatStatus status)
    {
        nint function = method.MethodHandle.GetFunctionPointer();
        switch (method.GetParameters().Length, method.DeclaringType == typeof(FloatLanes))
        {
            case (2, _):
                ((delegate*<Xmm*, Xmm*, void>)function)(a, b);
                break;
            case (3, false):
                ((delegate*<Xmm*, Xmm*, int, void>)function)(a, b, immediate);
                break;
            case (3, true):
                ((delegate*<Xmm*, Xmm*, ref FloatStatus, void>)function)(a, b, ref status);
                break;
            default:
                ((delegate*<Xmm*, Xmm*, int, ref FloatStatus, void>)function)(a, b, immediate, ref status);
                break;
        }
    }

    private static Xmm Parse(string digits)
    {
        UInt128 value = UInt128.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return new Xmm((ulong)value, (ulong)(value >> 64));
    }
}
