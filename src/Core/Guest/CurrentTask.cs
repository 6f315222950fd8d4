using System.Runtime.InteropServices;
using System.Text;

namespace KprobeTrace.Guest;

/// <summary>Who runs on a CPU.</summary>
/// <remarks>All fields are 0 while the kernel has no per-CPU areas yet.</remarks>
[StructLayout(LayoutKind.Sequential)]
public struct CurrentTask : IEquatable<CurrentTask>
{
    /// <summary>Bytes of a task's name, padding included.</summary>
    public const int CommLength = 16;

    /// <summary>Gets or sets the address of the <c>task_struct</c>.</summary>
    public ulong Address { get; set; }

    /// <summary>Gets or sets the thread's number, the kernel's <c>pid</c>.</summary>
    public int Pid { get; set; }

    /// <summary>Gets or sets the process's number, the kernel's <c>tgid</c>.</summary>
    public int Tgid { get; set; }

    /// <summary>Gets or sets the first eight bytes of the name, little-endian.</summary>
    public ulong CommLow { get; set; }

    /// <summary>Gets or sets the last eight bytes of the name, little-endian.</summary>
    public ulong CommHigh { get; set; }

    /// <summary>Gets the name up to its first NUL.</summary>
    public readonly string Comm
    {
        get
        {
            Span<byte> bytes = stackalloc byte[CommLength];
            return Encoding.UTF8.GetString(bytes[..CopyComm(bytes)]);
        }
    }

    /// <summary>Copies the name without its NUL.</summary>
    /// <param name="into">At least 16 bytes.</param>
    /// <returns>The length, 0 to 15.</returns>
    public readonly int CopyComm(Span<byte> into)
    {
        ulong low = CommLow;
        ulong high = CommHigh;
        MemoryMarshal.Write(into, in low);
        MemoryMarshal.Write(into[8..], in high);
        int end = into[..CommLength].IndexOf((byte)0);
        return end < 0 ? CommLength - 1 : end;
    }

    /// <inheritdoc/>
    public readonly bool Equals(CurrentTask other) => Address == other.Address && Pid == other.Pid
        && Tgid == other.Tgid && CommLow == other.CommLow && CommHigh == other.CommHigh;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is CurrentTask other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => HashCode.Combine(Address, Pid, CommLow, CommHigh);

    /// <summary>Compares all fields.</summary>
    public static bool operator ==(CurrentTask left, CurrentTask right) => left.Equals(right);

    /// <summary>Compares all fields.</summary>
    public static bool operator !=(CurrentTask left, CurrentTask right) => !left.Equals(right);
}
