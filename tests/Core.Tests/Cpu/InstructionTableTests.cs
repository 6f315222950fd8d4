using Iced.Intel;
using KprobeTrace.Cpu.Binding;
using KprobeTrace.Cpu.Decode;
using KprobeTrace.Cpu.State;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Holds the instruction table to what binds its rows, and to what the decoder library knows of instructions.</summary>
public sealed unsafe class InstructionTableTests
{
    private const RflagsBits StatusFlags = RflagsBits.OF | RflagsBits.SF | RflagsBits.ZF | RflagsBits.AF | RflagsBits.PF | RflagsBits.CF;

    // Encodings that are undefined although their instruction is not: registers that are not there, and prefetches of a register.
    private static readonly HashSet<Code> _partly =
    [
        Code.Mov_r32_cr, Code.Mov_r64_cr, Code.Mov_cr_r32, Code.Mov_cr_r64, Code.Mov_r32_dr, Code.Mov_r64_dr, Code.Mov_dr_r32, Code.Mov_dr_r64,
        Code.Mov_Sreg_rm16, Code.Mov_Sreg_r32m16, Code.Mov_Sreg_r64m16,
        Code.Reservednop_rm16_r16_0F0D, Code.Reservednop_rm32_r32_0F0D, Code.Reservednop_rm64_r64_0F0D,
    ];

    // How UD2 is bound, which stands for all that is undefined.
    private static readonly nint _undefined = Undefined();

    private static readonly Lazy<List<(Instruction Instruction, int Bits)>> _sample = new(() => [.. EncodingSample.All()
        .Where(found => InstructionTable.Of(found.Instruction).Family != InstructionFamily.Undefined && found.Instruction.Encoding == EncodingKind.Legacy)]);

    public static IEnumerable<(Instruction Instruction, int Bits)> Sample => _sample.Value;

    [Fact]
    public void Every_row_has_encodings_and_all_of_them_are_bound()
    {
        HashSet<string> bound = [];
        List<string> undefined = [];
        foreach ((Instruction i, int bits) in Sample)
        {
            Op op = default;
            if (OpBinder.Bind(i, InstructionTable.Of(i), &op, Mode(bits), flagsDead: false) != BindResult.End || (nint)op.Handler != _undefined)
            {
                bound.Add(NameOf(InstructionTable.Of(i)));
            }
            else if (!_partly.Contains(i.Code))
            {
                undefined.Add($"{i} ({i.Code}, {bits} bits)");
            }
        }

        Assert.Empty(undefined.Take(10));
        Assert.Empty(InstructionTable.Rows[1..].ToArray().Select(NameOf).Except(bound));
    }

    [Fact]
    public void No_instruction_has_two_rows()
    {
        string[] names = [.. InstructionTable.Rows.ToArray().Select(NameOf)];

        Assert.Equal(names.Distinct(), names);
    }

    [Fact]
    public void What_may_be_locked_is_what_the_manual_lets_be_locked() =>
        AssertSame(
            i => i.Op0Kind == OpKind.Memory && i.Code.ToOpCode().CanUseLockPrefix,
            i => InstructionTable.Of(i).MayBeLocked(i));

    [Fact]
    public void What_is_refused_outside_ring_0_is_what_the_manual_calls_privileged() =>
        AssertSame(
            i => i.Code.ToOpCode().MustBeCpl0,
            i => (InstructionTable.Of(i).Checks & (InstructionChecks.Ring0 | InstructionChecks.Ring0OrUndefined)) != 0);

    [Fact]
    public void What_a_plain_instruction_does_needs_no_flag_and_no_privilege() =>
        Assert.Empty(Sample
            .Where(found => InstructionTable.Of(found.Instruction).IsPlain(found.Instruction))
            .Where(found => found.Instruction.RflagsRead != RflagsBits.None || found.Instruction.IsPrivileged || InstructionTable.Of(found.Instruction).Checks != InstructionChecks.None)
            .Select(found => found.Instruction.ToString()).Take(10));

    [Fact]
    public void What_sets_all_flags_modifies_each_status_flag() =>
        Assert.Empty(Sample
            .Where(found => InstructionTable.Of(found.Instruction).SetsAllFlags(found.Instruction) && (found.Instruction.RflagsModified & StatusFlags) != StatusFlags)
            .Select(found => found.Instruction.ToString()).Take(10));

    [Theory]
    [InlineData(BlockMode.User)]
    [InlineData(BlockMode.OuterRing)]
    public void Privileged_instructions_are_refused_outside_ring_0(int ring)
    {
        Op refused = default;
        OpBinder.BindTooLong(&refused);
        List<string> allowed = [];
        foreach ((Instruction i, int bits) in Sample.Where(found => (InstructionTable.Of(found.Instruction).Checks & InstructionChecks.Ring0) != 0))
        {
            Op op = default;
            OpBinder.Bind(i, InstructionTable.Of(i), &op, Mode(bits) | ring, flagsDead: false);
            if ((nint)op.Handler != (nint)refused.Handler && (nint)op.Handler != _undefined)
            {
                allowed.Add(i.ToString());
            }
        }

        Assert.Empty(allowed.Take(10));
    }

    [Fact]
    public void What_is_looked_at_beyond_the_ring_is_an_operation_before_the_instruction()
    {
        const InstructionChecks ofTheRing = InstructionChecks.Ring0 | InstructionChecks.Ring0OrUndefined;

        Assert.Empty(Sample
            .Where(found => (OpBinder.GuardOf(found.Instruction, InstructionTable.Of(found.Instruction), Mode(found.Bits) | BlockMode.User | BlockMode.FloatGuarded) != null) != ((InstructionTable.Of(found.Instruction).Checks & ~ofTheRing) != 0))
            .Select(found => found.Instruction.ToString()).Take(10));
    }

    /// <remarks>Intel SDM vol. 3A §13.1.3: of SSE all but what leaves both XMM registers and MXCSR alone.</remarks>
    [Fact]
    public void What_control_registers_may_refuse_is_x87_MMX_and_SSE_but_for_what_touches_no_state_of_theirs()
    {
        CpuidFeature[] states = [CpuidFeature.FPU, CpuidFeature.FPU287, CpuidFeature.FPU387, CpuidFeature.FXSR, CpuidFeature.MMX, CpuidFeature.SSE, CpuidFeature.SSE2, CpuidFeature.SSE3, CpuidFeature.SSSE3, CpuidFeature.SSE4_1, CpuidFeature.SSE4_2];
        Mnemonic[] stateless = [Mnemonic.Movnti, Mnemonic.Crc32, Mnemonic.Prefetchnta, Mnemonic.Prefetcht0, Mnemonic.Prefetcht1, Mnemonic.Prefetcht2, Mnemonic.Sfence, Mnemonic.Lfence, Mnemonic.Mfence, Mnemonic.Pause, Mnemonic.Popcnt, Mnemonic.Clflush];
        const InstructionChecks ofControl = InstructionChecks.X87 | InstructionChecks.Wait | InstructionChecks.Vector;

        AssertSame(
            i => InstructionTable.Of(i).Family != InstructionFamily.Undefined && (i.CpuidFeatures.Intersect(states).Any() || i.Mnemonic == Mnemonic.Wait) && !stateless.Contains(i.Mnemonic),
            i => (InstructionTable.Of(i).Checks & ofControl) != 0);
        Assert.Empty(Sample.Where(found => (InstructionTable.Of(found.Instruction).Checks & ofControl) != 0 && OpBinder.GuardOf(found.Instruction, InstructionTable.Of(found.Instruction), Mode(found.Bits)) != null)
            .Select(found => found.Instruction.ToString()).Take(10));
    }

    /// <summary>The name of a row: its mnemonic or its encoding.</summary>
    internal static string NameOf(InstructionRow row) => row.Code == Code.INVALID ? row.Mnemonic.ToString() : row.Code.ToString();

    private static void AssertSame(Predicate<Instruction> manual, Predicate<Instruction> table) =>
        Assert.Empty(Sample.Where(found => manual(found.Instruction) != table(found.Instruction)).Select(found => $"{found.Instruction} ({found.Instruction.Code})").Distinct().Take(20));

    private static int Mode(int bits) => bits switch { 16 => BlockMode.Code16, 32 => BlockMode.Code32, _ => BlockMode.Code64 };

    private static nint Undefined()
    {
        Decoder decoder = Decoder.Create(64, new ByteArrayCodeReader([0x0F, 0x0B]), BlockDecoder.Encoding);
        decoder.Decode(out Instruction instruction);
        Op op = default;
        OpBinder.Bind(instruction, InstructionTable.Of(instruction), &op, BlockMode.Code64, flagsDead: false);
        return (nint)op.Handler;
    }
}
