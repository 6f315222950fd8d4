using KprobeTrace.Cpu.Decode;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>Operands longer than 16 bytes: all pages are checked before the first byte moves.</summary>
internal static unsafe class GuestBytes
{
    internal const int Piece = 8;

    /// <summary>Reads bytes; false with a fault pending.</summary>
    public static bool Read(CpuState* s, Op* op, ulong address, byte* into, int size)
    {
        Processor cpu = Processor.Of(s);
        if (!cpu.Probe(op, address, write: false) || !cpu.Probe(op, address + (ulong)(size - 1), write: false))
        {
            return false;
        }

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

    /// <summary>Writes bytes; false with a fault pending and nothing written.</summary>
    public static bool Write(CpuState* s, Op* op, ulong address, byte* from, int size)
    {
        Processor cpu = Processor.Of(s);
        if (!cpu.Probe(op, address, write: true) || !cpu.Probe(op, address + (ulong)(size - 1), write: true))
        {
            return false;
        }

        for (int done = 0; done < size; done += Piece)
        {
            if (!MemoryAccess.SlowStoreBytes(s, op, address + (ulong)done, from + done, Math.Min(Piece, size - done)))
            {
                return false;
            }
        }

        return true;
    }
}
