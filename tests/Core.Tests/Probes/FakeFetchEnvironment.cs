using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Probes;

namespace KprobeTrace.Tests.Probes;

/// <summary>Guest memory as a sparse set of bytes, and a task called <c>cat</c>.</summary>
internal sealed unsafe class FakeFetchEnvironment : IFetchEnvironment
{
    private readonly Dictionary<ulong, byte> _bytes = [];

    public int CpuIndex { get; set; } = 3;

    public int CurrentPid { get; set; } = 92;

    public ulong RetiredInstructions { get; set; } = 1000;

    public string Comm { get; set; } = "cat";

    public void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            _bytes[address + (ulong)i] = bytes[i];
        }
    }

    public void WriteWord(ulong address, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Write(address, bytes);
    }

    /// <summary>Writes a terminated text, and what a 64-byte read around it needs.</summary>
    public void WriteText(ulong address, string text)
    {
        Write(address, new byte[(text.Length + 64) | 63]);
        Write(address, Encoding.UTF8.GetBytes(text + "\0"));
    }

    public bool TryReadKernel(ulong address, Span<byte> destination) =>
        address >= 0x7fff_ffff_f000 && TryRead(address, destination);

    public bool TryReadUser(ulong address, Span<byte> destination) =>
        address < 0x7fff_ffff_f000 && TryRead(address, destination);

    public int ReadComm(Span<byte> destination) => Encoding.UTF8.GetBytes(Comm, destination);

    public int FormatSymbol(ulong address, Span<byte> destination) =>
        Encoding.UTF8.GetBytes($"sym+0x{address & 0xff:x}/0x100", destination);

    private bool TryRead(ulong address, Span<byte> destination)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            if (!_bytes.TryGetValue(address + (ulong)i, out destination[i]))
            {
                return false;
            }
        }

        return true;
    }
}
