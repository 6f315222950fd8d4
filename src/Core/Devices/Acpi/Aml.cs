using System.Buffers.Binary;
using System.Text;

namespace KprobeTrace.Devices.Acpi;

/// <summary>Encodes the few ACPI machine language terms of our DSDT (ACPI 6.4 chapter 20) and resource descriptors (§6.4).</summary>
internal static class Aml
{
    /// <summary><c>Name (name, value)</c>.</summary>
    public static byte[] Name(string name, byte[] value) => [0x08, .. Encoding.ASCII.GetBytes(name), .. value];

    /// <summary><c>Scope (path) { terms }</c>; the path is absolute.</summary>
    public static byte[] Scope(string path, params byte[][] terms) =>
        [0x10, .. Sized([.. Encoding.ASCII.GetBytes(path), .. Join(terms)])];

    /// <summary><c>Device (name) { terms }</c>.</summary>
    public static byte[] Device(string name, params byte[][] terms) =>
        [0x5B, 0x82, .. Sized([.. Encoding.ASCII.GetBytes(name), .. Join(terms)])];

    /// <summary><c>Package { elements }</c>.</summary>
    public static byte[] Package(params byte[][] elements) =>
        [0x12, .. Sized([(byte)elements.Length, .. Join(elements)])];

    /// <summary><c>Buffer { data }</c>.</summary>
    public static byte[] Buffer(params byte[][] data)
    {
        byte[] bytes = Join(data);
        return [0x11, .. Sized([.. Integer((uint)bytes.Length), .. bytes])];
    }

    /// <summary>An integer constant in its shortest form.</summary>
    public static byte[] Integer(uint value) => value switch
    {
        0 => [0x00],
        1 => [0x01],
        <= 0xFF => [0x0A, (byte)value],
        <= 0xFFFF => [0x0B, (byte)value, (byte)(value >> 8)],
        _ => [0x0C, (byte)value, (byte)(value >> 8), (byte)(value >> 16), (byte)(value >> 24)],
    };

    /// <summary><c>EisaId (id)</c>: three letters and four hexadecimal digits in 32 bits.</summary>
    public static byte[] EisaId(string id)
    {
        uint letters = ((uint)(id[0] - '@') << 10) | ((uint)(id[1] - '@') << 5) | (uint)(id[2] - '@');
        uint value = (letters << 16) | Convert.ToUInt32(id[3..], 16);
        return Integer(BinaryPrimitives.ReverseEndianness(value));
    }

    /// <summary><c>IO (Decode16, …)</c>: fixed ports.</summary>
    public static byte[] Ports(ushort first, byte count) =>
        [0x47, 0x01, (byte)first, (byte)(first >> 8), (byte)first, (byte)(first >> 8), 0x01, count];

    /// <summary><c>IRQNoFlags () { irq }</c>: an edge-triggered interrupt.</summary>
    public static byte[] Interrupt(int irq) => [0x22, (byte)(1 << irq), (byte)((1 << irq) >> 8)];

    /// <summary>Ends a resource template; a checksum of 0 counts as right.</summary>
    public static byte[] EndTag() => [0x79, 0x00];

    // PkgLength counts itself: one byte up to 63, else two nibble-first bytes up to 4095 (§20.2.4).
    private static byte[] Sized(byte[] content)
    {
        int length = content.Length + 1;
        if (length <= 0x3F)
        {
            return [(byte)length, .. content];
        }

        length++;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, 0xFFF, nameof(content));
        return [(byte)(0x40 | (length & 0xF)), (byte)(length >> 4), .. content];
    }

    private static byte[] Join(byte[][] parts)
    {
        List<byte> joined = [];
        foreach (byte[] part in parts)
        {
            joined.AddRange(part);
        }

        return [.. joined];
    }
}
