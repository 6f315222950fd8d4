using KprobeTrace.Cpu.Float;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Float;

public sealed class ReciprocalApproximationTests
{
    /// <summary>The manual's bound on relative errors.</summary>
    private const double Bound = 1.5 / 4096;

    [Fact]
    public void Reciprocals_stay_within_the_manuals_bound()
    {
        for (uint bits = 0x0080_0000; bits < 0x7E80_0000; bits += 4999)
        {
            double x = BitConverter.UInt32BitsToSingle(bits);
            double y = BitConverter.UInt32BitsToSingle(ReciprocalApproximation.Reciprocal(bits));

            Assert.InRange(Math.Abs((x * y) - 1), 0, Bound);
        }
    }

    [Fact]
    public void Reciprocal_roots_stay_within_the_manuals_bound()
    {
        for (uint bits = 0x0080_0000; bits < 0x7F80_0000; bits += 4999)
        {
            double x = BitConverter.UInt32BitsToSingle(bits);
            double y = BitConverter.UInt32BitsToSingle(ReciprocalApproximation.ReciprocalSquareRoot(bits));

            Assert.InRange(Math.Abs((Math.Sqrt(x) * y) - 1), 0, Bound);
        }
    }

    [Theory]
    [InlineData(0x0000_0000u, 0x7F80_0000u, 0x7F80_0000u)]
    [InlineData(0x8000_0001u, 0xFF80_0000u, 0xFF80_0000u)]
    [InlineData(0x7F80_0000u, 0x0000_0000u, 0x0000_0000u)]
    [InlineData(0xFF80_0000u, 0x8000_0000u, 0xFFC0_0000u)]
    [InlineData(0x7F80_0001u, 0x7FC0_0001u, 0x7FC0_0001u)]
    public void Special_operands_have_defined_results(uint operand, uint reciprocal, uint root)
    {
        Assert.Equal(reciprocal, ReciprocalApproximation.Reciprocal(operand));
        Assert.Equal(root, ReciprocalApproximation.ReciprocalSquareRoot(operand));
    }
}
