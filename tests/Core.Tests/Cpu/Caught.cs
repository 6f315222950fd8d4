
namespace KprobeTrace.Tests.Cpu;

/// <summary>How a guest's run ended: at a HLT of its own (<see cref="Vector"/> is -1), or in a handler, with the frame on its stack.</summary>
internal sealed record Caught(int Vector, uint ErrorCode, ulong Ip, ushort Cs, ulong Flags, ulong Sp, ushort Ss, ulong Cr2)
{
    /// <summary>A vector and its error code, as case tables write them.</summary>
    public override string ToString() => Vector < 0 ? "none" : KprobeTrace.Cpu.State.Vector.HasErrorCode((byte)Vector) ? $"{Vector}({ErrorCode:x})" : $"{Vector}";
}
