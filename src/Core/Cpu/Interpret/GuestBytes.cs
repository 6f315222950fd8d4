using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>Reads operands that are longer than the bounce buffer.</summary>
internal static unsafe class GuestBytes
{
    /// <summary>Bytes read at once; less than the bounce buffer, and of no size that has an alignment.</summary>
    internal const int Piece = 48;

    /// <summary>Reads bytes, from the lowest up; false with a fault pending.</summary>
    public static bool Read(CpuState* s, Op* op, ulong address, byte* into, int size)
    {
        for (int done = 0; done < size; done += Piece)
        {
            int part = Math.Min(Piece, size - done);
            byte* p = MemoryAccess.SlowLoad(s, op, address + (ulong)done, part);
            if (p == null)
            {
                return false;
            }

            Buffer.MemoryCopy(p, into + done, part, part);
        }

        return true;
    }
}
