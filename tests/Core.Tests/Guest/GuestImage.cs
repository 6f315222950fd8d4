using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Loaders;

namespace KprobeTrace.Tests.Guest;

/// <summary>A kernel image of one segment, with the symbols given.</summary>
internal static class GuestImage
{
    public const ulong Text = 0xFFFF_FFFF_8100_0000;
    public const ulong Physical = 0x100_0000;
    public const int Size = 0x4000;

    public static LoadedImage Load(Action<byte[]> fill)
    {
        byte[] bytes = new byte[Size];
        "Linux version 6.1.0 x"u8.CopyTo(bytes.AsSpan(Size - 64));
        fill(bytes);
        byte[] elf = new ElfBuilder { Entry = Physical }.Segment(Text, Physical, bytes).Build();
        return ImageLoader.Load("vmlinux", elf, new ImageLoadOptions { MemorySize = 64 << 20 });
    }

    public static SymbolTable Symbols(params (string Name, ulong Address)[] symbols) =>
        new([.. symbols.Select(s => new Symbol(s.Name, s.Address, 0, 'T', ""))]);
}
