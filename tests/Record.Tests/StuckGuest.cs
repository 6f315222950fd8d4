using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Record;

/// <summary>A flat 64-bit image whose handler of #UD is an undefined instruction: from there on nothing retires, ever.</summary>
internal static class StuckGuest
{
    private const ulong Load = 0x100000;
    private const ulong Gate = Load + 0x800;
    private const ulong Idtr = Load + 0xC00;

    /// <summary>Where it is stuck.</summary>
    public const ulong At = Load + 0x400;

    /// <summary>The image, to be loaded at 1 MiB.</summary>
    public static byte[] Code { get; } = Assemble();

    private static byte[] Assemble()
    {
        Assembler a = new(64);
        a.mov(rsp, 0x1C000000);
        a.mov(eax, cs);
        a.shl(eax, 16);
        a.or(eax, (int)(At & 0xFFFF));
        a.mov(__dword_ptr[Gate + 96], eax);
        a.mov(__dword_ptr[Gate + 100], (uint)(At & 0xFFFF0000) | 0x8E00);
        a.mov(__word_ptr[Idtr], 0xFFF);
        a.mov(__qword_ptr[Idtr + 2], (int)Gate);
        a.lidt(__[Idtr]);
        a.jmp(At);
        byte[] image = new byte[0x1000];
        using MemoryStream stream = new(image);
        a.Assemble(new StreamCodeWriter(stream), Load);
        image[At - Load] = 0x0F;
        image[At - Load + 1] = 0x0B;
        return image;
    }
}
