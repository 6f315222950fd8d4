using Iced.Intel;

namespace KprobeTrace.Cpu.Decode;

/// <content>x87, MMX and SSE.</content>
internal static unsafe partial class OpBinder
{
    private static BindResult BindSimd(in Instruction i, Op* op, int mode) => BindResult.Unknown;
}
