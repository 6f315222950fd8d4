namespace KprobeTrace.Tests.Oracle;

/// <summary>What a user program can see of the processor: the state before or after one instruction.</summary>
internal sealed class ProcessorState
{
    /// <summary>RAX RCX RDX RBX RSP RBP RSI RDI R8 … R15.</summary>
    public ulong[] Gpr { get; } = new ulong[16];

    public ulong Rip { get; set; }

    public ulong Rflags { get; set; }

    /// <summary>x87, MMX, SSE and MXCSR as the 64-bit FXSAVE image.</summary>
    public byte[] Fx { get; } = new byte[512];

    /// <summary>ES CS SS DS FS GS.</summary>
    public ushort[] Segments { get; } = new ushort[6];

    public ulong FsBase { get; set; }

    public ulong GsBase { get; set; }

    public ProcessorState Clone()
    {
        var copy = new ProcessorState { Rip = Rip, Rflags = Rflags, FsBase = FsBase, GsBase = GsBase };
        Gpr.CopyTo(copy.Gpr, 0);
        Fx.CopyTo(copy.Fx, 0);
        Segments.CopyTo(copy.Segments, 0);
        return copy;
    }
}
