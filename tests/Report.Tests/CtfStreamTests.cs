using System.Buffers.Binary;
using System.Text;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>The stream of a CTF trace, byte by byte as its metadata lays it out.</summary>
public sealed class CtfStreamTests : IDisposable
{
    private const ulong Function = 0xFFFF_FFFF_8100_0000;

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Packets_and_events_hold_these_bytes()
    {
        byte[] stream = Export("""
            p:open f dfd=%di:s32 name=+0(%si):string
            258 open sh-42 cpu=513 dfd=-100 name=ab
            72623859790382856 open fault sh-42 vector=14 error=0x12345678 cr2=0xffff800000000010 handled=1
            72623859790382857 open - dfd=7 name=?
            """);

        byte[] events =
        [
            .. Head(0, 258, 1, 513, 0), .. Word(42, 4), .. "sh\0"u8, .. Word(unchecked((ulong)-100), 8), .. "ab\0"u8,
            .. Head(1, 72623859790382856, 2, 0, 2), .. Word(42, 4), .. "sh\0"u8, 14, .. Word(0x12345678, 4), .. Word(0xFFFF_8000_0000_0010, 8), 1,
            .. Head(2, 72623859790382857, 3, 0, 0), 1, .. Word(7, 8), 0,
        ];
        ulong bits = (ulong)(24 + events.Length) * 8;
        Assert.Equal([.. Word(0xC1FC1FC1, 4), .. Word(0, 4), .. Word(bits, 8), .. Word(bits, 8), .. events], stream);
    }

    [Fact]
    public void No_event_makes_no_packet() => Assert.Empty(Export("p:f f"));

    [Theory]
    [InlineData(1)]
    [InlineData(3000)]
    [InlineData(70_000)]
    public void A_text_of_any_length_is_there_to_its_end(int length)
    {
        byte[] stream = Export($"p:open f name=+0(%si):string\n1 open - name={new string('n', length)}\n2 open - name=z");

        Assert.Equal([.. Head(0, 1, 1, 0, 0), .. Encoding.ASCII.GetBytes(new string('n', length)), 0, .. Head(0, 2, 2, 0, 0), (byte)'z', 0], stream[24..]);
    }

    /// <summary>Class and time, then number, processor, kind and address.</summary>
    private static byte[] Head(uint id, ulong time, ulong seq, ulong cpu, byte kind) =>
        [.. Word(id, 4), .. Word(time, 8), .. Word(seq, 8), .. Word(cpu, 2), kind, .. Word(Function, 8)];

    private static byte[] Word(ulong value, int size)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes[..size];
    }

    private byte[] Export(string text)
    {
        _ = Tool.Good("export", _folder.Trace(text), "--to", "ctf", "-o", _folder["ctf"]);
        return File.ReadAllBytes(Path.Combine(_folder["ctf"], "stream_0"));
    }
}
