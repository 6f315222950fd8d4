using KprobeTrace.Cpu.State;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Interpret;

/// <summary>Which exception an x87, MMX or SSE instruction raises, and that nothing else has changed then.</summary>
public sealed unsafe class SimdFaultTests : IDisposable
{
    private readonly BareProcessor _cpu = new();

    private static ReadOnlySpan<byte> Addps => [0x0F, 0x58, 0xC1];

    private static ReadOnlySpan<byte> AddpsMemory => [0x0F, 0x58, 0x07];

    private static ReadOnlySpan<byte> Divsd => [0xF2, 0x0F, 0x5E, 0xC1];

    private static ReadOnlySpan<byte> PadddMmx => [0x0F, 0xFE, 0xC1];

    private static ReadOnlySpan<byte> Fld1 => [0xD9, 0xE8];

    private static ReadOnlySpan<byte> Fwait => [0x9B];

    private static ReadOnlySpan<byte> Fxsave => [0x0F, 0xAE, 0x07];

    public void Dispose() => _cpu.Dispose();

    [Fact]
    public void A_task_switch_makes_the_units_unavailable()
    {
        _cpu.SetControl(Cr0.TS, 0);

        Assert.Equal(Vector.DeviceNotAvailable, _cpu.Run(Addps));
        Assert.Equal(Vector.DeviceNotAvailable, _cpu.Run(PadddMmx));
        Assert.Equal(Vector.DeviceNotAvailable, _cpu.Run(Fld1));
        Assert.Equal(Vector.DeviceNotAvailable, _cpu.Run(Fwait));
        Assert.Equal(Vector.DeviceNotAvailable, _cpu.Run(Fxsave));
        Assert.Equal(0, _cpu.State->FpuTags);
    }

    [Fact]
    public void Emulation_makes_vectors_undefined_and_x87_unavailable()
    {
        _cpu.SetControl(Cr0.EM | Cr0.TS, 0);

        Assert.Equal(Vector.InvalidOpcode, _cpu.Run(Addps));
        Assert.Equal(Vector.InvalidOpcode, _cpu.Run(PadddMmx));
        Assert.Equal(Vector.DeviceNotAvailable, _cpu.Run(Fld1));
    }

    [Fact]
    public void Without_the_systems_consent_SSE_is_undefined_and_MMX_is_not()
    {
        _cpu.SetControl(0, Cr4.OSFXSR);

        Assert.Equal(Vector.InvalidOpcode, _cpu.Run(Addps));
        Assert.Equal(-1, _cpu.Run(PadddMmx));
    }

    [Fact]
    public void Legacy_operands_of_16_bytes_must_be_aligned()
    {
        _cpu.State->R[7] = BareProcessor.Data + 8;
        *_cpu.Xmm(0) = new Xmm(1, 2);

        Assert.Equal(Vector.GeneralProtection, _cpu.Run(AddpsMemory));
        Assert.Equal(1UL, _cpu.Xmm(0)->Low);
        Assert.Equal(Vector.GeneralProtection, _cpu.Run(0x0F, 0x29, 0x07));
        Assert.Equal(-1, _cpu.Run(0x0F, 0x11, 0x07));
        Assert.Equal(1UL, *(ulong*)_cpu.Memory(BareProcessor.Data + 8));
    }

    [Fact]
    public void An_unmasked_SIMD_exception_leaves_the_destination_alone()
    {
        _cpu.State->Mxcsr = 0x1F80 & ~(4u << 7);
        *_cpu.Xmm(0) = new Xmm(0x3FF0_0000_0000_0000, 7);

        Assert.Equal(Vector.SimdError, _cpu.Run(Divsd));
        Assert.Equal(new Xmm(0x3FF0_0000_0000_0000, 7), *_cpu.Xmm(0));
        Assert.Equal(4u, _cpu.State->Mxcsr & 63);
    }

    [Fact]
    public void An_unmasked_SIMD_exception_is_undefined_where_the_system_has_no_handler()
    {
        _cpu.State->Cr4 &= ~Cr4.OSXMMEXCPT;
        _cpu.State->Mxcsr = 0x1F80 & ~(4u << 7);
        *_cpu.Xmm(0) = new Xmm(0x3FF0_0000_0000_0000, 0);

        Assert.Equal(Vector.InvalidOpcode, _cpu.Run(Divsd));
    }

    [Fact]
    public void Division_by_zero_waits_for_the_next_instruction()
    {
        _cpu.State->FpuControl = 0x37B;
        _cpu.Run(0xD9, 0xEE);
        _cpu.Run(Fld1);

        // 1 / 0: the exception is recorded, and the result is not written.
        Assert.Equal(-1, _cpu.Run(0xD8, 0xF1));
        Assert.Equal(0x8084, _cpu.State->FpuStatus & 0x80FF);
        Assert.Equal(0x3FFFUL, _cpu.State->FpuRegisters[(2 * 6) + 1]);
        Assert.Equal(Vector.X87Error, _cpu.Run(Fwait));
        Assert.Equal(Vector.X87Error, _cpu.Run(PadddMmx));
        Assert.Equal(-1, _cpu.Run(0xDB, 0xE2));
        Assert.Equal(-1, _cpu.Run(Fwait));
    }

    [Fact]
    public void Loading_reserved_bits_of_the_SSE_control_register_is_refused()
    {
        _cpu.State->R[7] = BareProcessor.Data;
        *(uint*)_cpu.Memory(BareProcessor.Data) = 0x2_1F80;

        Assert.Equal(Vector.GeneralProtection, _cpu.Run(0x0F, 0xAE, 0x17));
        Assert.Equal(0x1F80u, _cpu.State->Mxcsr);
    }

    [Fact]
    public void State_survives_a_round_through_memory()
    {
        _cpu.Run(Fld1);
        _cpu.Run(0xD9, 0xEB);
        *_cpu.Xmm(9) = new Xmm(11, 12);
        _cpu.State->Mxcsr = 0x3FA1;
        _cpu.State->R[7] = BareProcessor.Data;
        CpuState before = *_cpu.State;

        Assert.Equal(-1, _cpu.Run(0x48, 0x0F, 0xAE, 0x07));
        Assert.Equal(-1, _cpu.Run(0xDB, 0xE3));
        *_cpu.Xmm(9) = default;
        _cpu.State->Mxcsr = 0x1F80;
        Assert.Equal(-1, _cpu.Run(0x48, 0x0F, 0xAE, 0x0F));

        Assert.Equal(before.FpuTop, _cpu.State->FpuTop);
        Assert.Equal(before.FpuTags, _cpu.State->FpuTags);
        Assert.Equal(before.Mxcsr, _cpu.State->Mxcsr);
        Assert.Equal(new Xmm(11, 12), *_cpu.Xmm(9));
        for (int i = 0; i < 16; i++)
        {
            Assert.Equal(before.FpuRegisters[i], _cpu.State->FpuRegisters[i]);
        }
    }

    [Fact]
    public void Instruction_sets_that_are_not_declared_are_undefined()
    {
        Assert.Equal(Vector.InvalidOpcode, _cpu.Run(0x66, 0x0F, 0x38, 0xDC, 0xC1));
        Assert.Equal(Vector.InvalidOpcode, _cpu.Run(0xC5, 0xF8, 0x58, 0xC1));
        Assert.Equal(Vector.InvalidOpcode, _cpu.Run(0x66, 0x0F, 0x3A, 0x44, 0xC1, 0x00));
        Assert.Equal(Vector.InvalidOpcode, _cpu.Run(0x0F, 0xAE, 0x27));
    }
}
