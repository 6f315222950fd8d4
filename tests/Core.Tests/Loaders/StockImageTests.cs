using KprobeTrace.Loaders;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Loaders;

public sealed class StockImageTests
{
    [StockGuestTheory]
    [InlineData("vmlinuz-cloud")]
    [InlineData("vmlinuz-amd64")]
    public void Debians_kernels_are_unpacked_and_laid_out(string file)
    {
        byte[] initrd = File.ReadAllBytes(StockGuest.Initramfs);

        LoadedImage image = ImageLoader.Load(
            StockGuest.PathOf(file), new ImageLoadOptions { CommandLine = "console=ttyS0", Initrd = initrd });

        Assert.Equal(ImageKind.BzImage, image.Kind);
        Assert.Equal(file, image.BaseName);
        Assert.Equal(0x100_0000ul, image.EntryPhysical);
        Assert.Equal(0xFFFF_FFFF_8100_0000, image.EntryLink);
        Assert.Contains("-amd64", image.KernelRelease, StringComparison.Ordinal);
        Assert.NotNull(image.Elf?.FindSection(".BTF"));
        ImageSegment placed = Assert.Single(image.Segments, segment => segment.Purpose == "initrd");
        Assert.Equal(initrd.Length, placed.Bytes.Length);
    }

    [StockGuestFact]
    public void A_damaged_stock_kernel_is_one_clear_error()
    {
        foreach (string path in (string[])[StockGuest.CloudKernel, StockGuest.GenericKernel])
        {
            byte[] image = File.ReadAllBytes(path);
            image[image.Length / 2] ^= 0x40;
            image[(image.Length / 2) + 1] ^= 0x04;

            // The cloud kernel's lz4 frame has no checksum: damage shows only where it breaks the structure.
            Exception? error = Record.Exception(
                () => ImageLoader.Load(Path.GetFileName(path), image, new ImageLoadOptions()));

            Assert.True(error is null or KprobeTraceException, error?.ToString());
            Assert.True(error is not null || path == StockGuest.CloudKernel);
        }
    }
}
