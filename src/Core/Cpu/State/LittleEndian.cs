using System.Runtime.CompilerServices;

namespace KprobeTrace.Cpu.State;

/// <summary>Integers of a type's width in host memory.</summary>
internal static unsafe class LittleEndian
{
    /// <summary>Writes the low bytes of a value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<T>(byte* p, ulong value)
        where T : unmanaged
    {
        switch (sizeof(T))
        {
            case 1: *p = (byte)value; break;
            case 2: *(ushort*)p = (ushort)value; break;
            case 4: *(uint*)p = (uint)value; break;
            default: *(ulong*)p = value; break;
        }
    }

    /// <summary>Reads a value, zero-extended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get<T>(byte* p)
        where T : unmanaged =>
        sizeof(T) switch { 1 => *p, 2 => *(ushort*)p, 4 => *(uint*)p, _ => *(ulong*)p };
}
