using KprobeTrace.Cpu.State;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Interpret;

/// <summary>Images of the x87 unit's state in memory (Intel SDM vol. 1, figures 8-9 to 8-12 and table 10-2).</summary>
public sealed unsafe class FpuImageTests : IDisposable
{
    private readonly BareProcessor _cpu = new();

    public FpuImageTests() => _cpu.State->R[7] = BareProcessor.Data;

    public void Dispose() => _cpu.Dispose();

    [Theory]
    [InlineData(false, true, 0x12348765UL, 0x9ABCDEF1UL, 0xA468B7C8u, 0x5A6)]
    [InlineData(false, false, 0x8765UL, 0xDEF1UL, 0xA468B7C8u, 0)]
    [InlineData(true, true, 0x5A6B8765UL, 0x357ADEF1UL, 0u, 0x7C8)]
    [InlineData(true, false, 0xB8765UL, 0xADEF1UL, 0u, 0x7C8)]
    public void An_environment_is_read_in_the_format_of_the_mode(bool real, bool wide, ulong ip, ulong dp, uint selectors, int opcode)
    {
        uint[] fields = [0xFFFF037F, 0xFFFF3800, 0xFFFFE4FF, 0x12348765, 0xF5A6B7C8, 0x9ABCDEF1, 0x1357A468];
        for (int i = 0; i < fields.Length; i++)
        {
            if (wide)
            {
                ((uint*)_cpu.Memory(BareProcessor.Data))[i] = fields[i];
            }
            else
            {
                ((ushort*)_cpu.Memory(BareProcessor.Data))[i] = (ushort)fields[i];
            }
        }

        if (real)
        {
            _cpu.EnterFlat32(Cr0.ET | Cr0.NE);
        }

        Assert.Equal(-1, wide ? _cpu.Run(0xD9, 0x27) : _cpu.Run(0x66, 0xD9, 0x27));

        Assert.Equal(0x37F, _cpu.State->FpuControl);
        Assert.Equal((ip, dp), (_cpu.State->FpuIp, _cpu.State->FpuDp));
        Assert.Equal((selectors, opcode), (_cpu.State->FpuSelectors, _cpu.State->FpuOpcode));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Fxrstor_reads_pointers_and_registers_and_fxsave_writes_what_it_read(bool wide)
    {
        byte[] image = new byte[512];
        new Random(7).NextBytes(image.AsSpan(0, 416));
        (image[0], image[1], image[2], image[3], image[5]) = (0x7E, 0x03, 0x81, 0xB8, 0);
        (image[6], image[7]) = (0xA6, 0x05);
        (image[26], image[27], image[28], image[29], image[30], image[31]) = (0, 0, 0xFF, 0xFF, 0, 0);
        for (int i = 0; i < 8; i++)
        {
            image.AsSpan(32 + (16 * i) + 10, 6).Clear();
        }

        if (!wide)
        {
            image.AsSpan(14, 2).Clear();
            image.AsSpan(22, 2).Clear();
        }

        image.CopyTo(new Span<byte>(_cpu.Memory(BareProcessor.Data), 512));
        Assert.Equal(-1, wide ? _cpu.Run(0x48, 0x0F, 0xAE, 0x0F) : _cpu.Run(0x0F, 0xAE, 0x0F));
        Assert.Equal(image[4], _cpu.State->FpuTags);
        Assert.Equal(0x5A6, _cpu.State->FpuOpcode);

        _cpu.State->R[7] = BareProcessor.Data + 0x400;
        Assert.Equal(-1, wide ? _cpu.Run(0x48, 0x0F, 0xAE, 0x07) : _cpu.Run(0x0F, 0xAE, 0x07));

        Assert.Equal(Convert.ToHexString(image), Convert.ToHexString(new ReadOnlySpan<byte>(_cpu.Memory(BareProcessor.Data + 0x400), 512)));
    }

    /// <summary>Invalid operation and division by zero have a higher rank than a denormal operand (Intel SDM vol. 1 §8.6).</summary>
    [Theory]
    [InlineData("1", 0x07, 0x22)]
    [InlineData("0", 0x07, 0x02)]
    [InlineData("0", 0x3F, 0x04)]
    [InlineData("snan", 0x07, 0x01)]
    public void A_denormal_operand_is_told_unless_something_graver_is(string top, byte operation, int flags)
    {
        *(ulong*)_cpu.Memory(BareProcessor.Data) = 0xA000000000000000;
        *(ulong*)_cpu.Memory(BareProcessor.Data + 8) = 0x7FFF;
        _cpu.Run(0xDB, 0xE3);
        _ = top switch { "1" => _cpu.Run(0xD9, 0xE8), "0" => _cpu.Run(0xD9, 0xEE), _ => _cpu.Run(0xDB, 0x2F) };
        *(ulong*)_cpu.Memory(BareProcessor.Data) = 1;

        Assert.Equal(-1, _cpu.Run(0xDC, operation));
        Assert.Equal(-1, _cpu.Run(0xDF, 0xE0));

        Assert.Equal(flags, (int)_cpu.State->R[0] & 0x3F);
    }
}
