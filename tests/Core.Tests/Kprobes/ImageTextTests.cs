using KprobeTrace.Guest;
using KprobeTrace.Kprobes;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Guest;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>What text an address lies in: the image's, its init text, and that of modules that come and go.</summary>
public sealed class ImageTextTests
{
    private const ulong Text = GuestImage.Text;
    private const ulong Core = 0xFFFF_FFFF_A000_0000;

    private readonly LoadedImage _image = GuestImage.Load(static _ => { });

    [Theory]
    [InlineData(-1, KernelTextKind.None)]
    [InlineData(0, KernelTextKind.Kernel)]
    [InlineData(GuestImage.Size - 1, KernelTextKind.Kernel)]
    [InlineData(GuestImage.Size, KernelTextKind.None)]
    internal void Without_symbols_text_is_what_the_file_lets_be_executed(int at, KernelTextKind kind)
    {
        ImageText text = new(_image, SymbolTable.Empty, new GuestTables(_image, SymbolTable.Empty, null));

        Assert.Equal(kind, text.Classify(Text + (ulong)(long)at));
        Assert.False(text.HasSymbols);
    }

    [Theory]
    [InlineData(0x0FF, KernelTextKind.None, KernelTextKind.None)]
    [InlineData(0x100, KernelTextKind.Kernel, KernelTextKind.Kernel)]
    [InlineData(0x1FF, KernelTextKind.Kernel, KernelTextKind.Kernel)]
    [InlineData(0x200, KernelTextKind.None, KernelTextKind.None)]
    [InlineData(0x300, KernelTextKind.KernelInit, KernelTextKind.None)]
    [InlineData(0x3FF, KernelTextKind.KernelInit, KernelTextKind.None)]
    [InlineData(0x400, KernelTextKind.None, KernelTextKind.None)]
    internal void With_symbols_text_is_what_lies_between_them(int at, KernelTextKind before, KernelTextKind freed)
    {
        ImageText text = Create();

        Assert.Equal(before, text.Classify(Text + (ulong)at));
        text.IsInitFreed = true;
        Assert.Equal(freed, text.Classify(Text + (ulong)at));
        Assert.Equal(new GuestRange(Text + 0x300, Text + 0x400), text.InitText);
        Assert.True(text.HasSymbols);
    }

    /// <summary>States as the kernel numbers them: live, coming, going, being set up.</summary>
    [Theory]
    [InlineData(0u, KernelTextKind.Module, KernelTextKind.ModuleGone)]
    [InlineData(1u, KernelTextKind.Module, KernelTextKind.ModuleInit)]
    [InlineData(2u, KernelTextKind.ModuleGone, KernelTextKind.ModuleGone)]
    [InlineData(3u, KernelTextKind.Module, KernelTextKind.ModuleInit)]
    internal void Text_of_a_module_is_there_as_its_state_says(uint state, KernelTextKind core, KernelTextKind init)
    {
        foreach (bool asked in (bool[])[false, true])
        {
            ImageText text = Create();
            text.SetModule(Module("other", Core + 0x10_0000, 1));
            text.SetModule(Module("mod", Core, asked ? 1 - (state & 1) : state));
            text.ModuleState = asked ? module => module.Name == "mod" ? state : 1 : null;

            Assert.Equal(
                [KernelTextKind.None, core, core, KernelTextKind.None],
                new ulong[] { Core - 1, Core, Core + 0xFFF, Core + 0x1000 }.Select(text.Classify));
            Assert.Equal(
                [KernelTextKind.None, init, init, KernelTextKind.None],
                new ulong[] { Core + 0x7FFF, Core + 0x8000, Core + 0x8FFF, Core + 0x9000 }.Select(text.Classify));
            Assert.Equal(KernelTextKind.ModuleInit, text.Classify(Core + 0x10_8000));
        }
    }

    [Fact]
    public void A_module_that_goes_takes_its_text_and_symbols_along_and_one_that_is_set_again_takes_its_own_place()
    {
        ImageText text = Create();
        text.SetModule(Module("one", Core, 1));
        text.SetModule(Module("two", Core + 0x10_0000, 1));
        text.SetModule(Module("one", Core + 0x20_0000, 0));

        Assert.Equal((string[])["two", "one"], text.Modules.Select(m => m.Name));
        Assert.Equal(KernelTextKind.None, text.Classify(Core));
        Assert.True(text.TryResolve("one:f", out ulong address) && address == Core + 0x20_0000);
        Assert.True(text.TryFindSymbol(Core + 0x10_0004, out Symbol symbol) && symbol.Module == "two");

        text.RemoveModule("two");
        Assert.Equal((string[])["one"], text.Modules.Select(m => m.Name));
        Assert.False(text.TryResolve("two:f", out _));
        Assert.False(text.TryFindSymbol(Core + 0x10_0004, out _));
        Assert.Equal(KernelTextKind.Module, text.Classify(Core + 0x20_0000));
    }

    [Fact]
    public void The_images_own_bytes_are_read_as_they_were()
    {
        ImageText text = new(GuestImage.Load(static bytes => bytes[GuestImage.Size - 1] = 7), SymbolTable.Empty, new GuestTables(_image, SymbolTable.Empty, null));
        byte[] one = new byte[1];

        Assert.True(text.TryReadOriginal(Text + GuestImage.Size - 1, one));
        Assert.Equal(7, one[0]);
        Assert.False(text.TryReadOriginal(Text + GuestImage.Size, one));
        Assert.False(text.TryReadOriginal(Core, one));
    }

    private static GuestModule Module(string name, ulong at, uint state) => new(
        name, at + 0x5_0000, state, new GuestRange(at, at + 0x2000), new GuestRange(at + 0x8000, at + 0xA000), new GuestRange(at, at + 0x1000),
        new GuestRange(at + 0x8000, at + 0x9000), [new Symbol("f", at, 16, 'T', name)], default!);

    private ImageText Create()
    {
        SymbolTable symbols = GuestImage.Symbols(
            ("_stext", Text + 0x100), ("_etext", Text + 0x200), ("_sinittext", Text + 0x300), ("_einittext", Text + 0x400));
        return new ImageText(_image, symbols, new GuestTables(_image, symbols, null));
    }
}
