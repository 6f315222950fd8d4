using System.Runtime.CompilerServices;
using System.Text;

namespace KprobeTrace.Tracing;

/// <summary>A task's name: up to 16 bytes as the guest holds them, the rest zero.</summary>
[InlineArray(Size)]
internal struct TraceComm
{
    /// <summary>Bytes in a name (TASK_COMM_LEN of Linux).</summary>
    public const int Size = 16;

    private byte _first;

    /// <summary>Takes the bytes up to the first zero, at most <see cref="Size"/>.</summary>
    public TraceComm(ReadOnlySpan<byte> name)
    {
        int length = name.IndexOf((byte)0);
        name = name[..Math.Min(length < 0 ? name.Length : length, Size)];
        name.CopyTo(this);
    }

    /// <summary>The name's bytes without the zeros behind it.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public readonly ReadOnlySpan<byte> Bytes
    {
        get
        {
            ReadOnlySpan<byte> all = this;
            int end = all.IndexOf((byte)0);
            return end < 0 ? all : all[..end];
        }
    }

    /// <summary>The name as UTF-8 text; bytes that are no UTF-8 read as U+FFFD.</summary>
    public override readonly string ToString() => Encoding.UTF8.GetString(Bytes);
}
