using System.Runtime.CompilerServices;

namespace KprobeTrace.Cpu.State;

/// <summary>Reads and writes general registers by byte offset with the widths' rules: 32-bit writes clear the upper half.</summary>
internal static unsafe class Registers
{
    public const int Rax = 0;
    public const int Rcx = 1;
    public const int Rdx = 2;
    public const int Rbx = 3;
    public const int Rsp = 4;
    public const int Rbp = 5;
    public const int Rsi = 6;
    public const int Rdi = 7;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read<T>(CpuState* s, nuint offset)
        where T : unmanaged => LittleEndian.Get<T>((byte*)s + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(CpuState* s, nuint offset, ulong value)
        where T : unmanaged
    {
        if (sizeof(T) == 4)
        {
            *(ulong*)((byte*)s + offset) = (uint)value;
        }
        else
        {
            LittleEndian.Put<T>((byte*)s + offset, value);
        }
    }

    /// <summary>A value cut to the width of T, zero-extended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Cut<T>(ulong value)
        where T : unmanaged =>
        sizeof(T) switch { 1 => (byte)value, 2 => (ushort)value, 4 => (uint)value, _ => value };

    /// <summary>Bits in T.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Bits<T>()
        where T : unmanaged => sizeof(T) * 8;
}
