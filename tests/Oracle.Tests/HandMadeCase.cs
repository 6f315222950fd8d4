using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Cases that nobody drew.</summary>
internal static class HandMadeCase
{
    /// <summary>Where the instruction stands in the code pages.</summary>
    public const uint Offset = 0x800;

    /// <summary>An instruction with all registers zero but the stack pointer, and what <paramref name="set"/> changes.</summary>
    public static TestCase Create(byte[] bytes, Action<ProcessorState> set)
    {
        var state = new ProcessorState { Rip = OracleLayout.CodeBase + Offset, Rflags = 0x202, FsBase = OracleLayout.FsBase, GsBase = OracleLayout.GsBase };
        state.Gpr[GprIndex.Rsp] = OracleLayout.StackBase + 0x800;
        state.Segments[1] = OracleLayout.UserCode;
        state.Segments[2] = OracleLayout.UserData;
        BitConverter.TryWriteBytes(state.Fx, (ushort)0x37f);
        BitConverter.TryWriteBytes(state.Fx.AsSpan(FxImages.MxcsrOffset), 0x1f80);
        set(state);
        Decoder.Create(64, bytes, OracleLayout.CodeBase + Offset).Decode(out Instruction instruction);
        return new TestCase
        {
            Form = instruction.Code,
            Index = 0,
            Bytes = bytes,
            Instruction = instruction,
            CodeOffset = Offset,
            Initial = state,
            Patches = [],
            StopsAtBreakpoint = instruction.FlowControl != FlowControl.Next,
        };
    }
}
