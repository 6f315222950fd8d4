using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Tests.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Recording;

/// <summary>What is probed where the user names nothing, and what is said where that is little.</summary>
public sealed class DefaultProbesTests
{
    private const ulong Linux = 0xFFFF_FFFF_8100_0000;

    [Fact]
    public void Linux_gets_those_of_the_known_functions_that_are_there_once()
    {
        using Recorder recorder = OpenLinux(
            [
                "kernel_clone", "bprm_execve", "do_exit", "do_sys_openat2", "vfs_read", "handle_mm_fault", "force_sig_fault", "vfs_write", "vfs_write", "vfs_open",
            ]);

        Assert.Equal(
            [
                "p:fork kernel_clone",
                "p:exec bprm_execve",
                "p:exit do_exit code=%di:s64",
                "p:open do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring",
                "r:open_ret do_sys_openat2 ret=$retval:s64",
                "p:read vfs_read count=%dx:u64",
                "r:read_ret vfs_read ret=$retval:s64",
                "p:fault handle_mm_fault address=%si:x64",
                "r:fault_ret handle_mm_fault ret=$retval:x32",
                "p:signal force_sig_fault signal=%di:s32 address=%dx:x64",
            ],
            recorder.Definitions);
        Assert.True(recorder.HasProbes);
    }

    [Fact]
    public void Any_other_image_gets_each_function_whose_name_is_its_own_and_can_be_one()
    {
        FlatGuest guest = new();
        for (int i = 0; i < 16; i++)
        {
            guest.Code.nop();
        }

        List<string> warnings = [];
        using Recorder recorder = RecordedGuest.Open(
            guest,
            new RecordingOptions { Image = "", Warn = warnings.Add },
            "0000000000100000 T one", "0000000000100001 t two.part.0", "0000000000100002 T _x9", "0000000000100003 D data",
            "0000000000100004 T twice", "0000000000100005 T twice", "0000000000100006 T no$name", "0000000000100007 W weak", "0000000000200000 T outside");

        Assert.Equal(["p:one one", "p:two_part_0 two.part.0", "p:_x9 _x9", "p:weak weak"], recorder.Definitions);
        Assert.Empty(warnings);
    }

    [Theory]
    [InlineData(4095, 4095)]
    [InlineData(4096, 4096)]
    [InlineData(4097, 4096)]
    public void No_more_than_4096_functions_are_probed(int functions, int probes)
    {
        byte[] code = new byte[5000];
        Array.Fill(code, (byte)0x90);
        using Recorder recorder = RecordedGuest.Open(
            new RecordingOptions { Image = "flat", ImageBytes = code, Load = new ImageLoadOptions { MemorySize = 16 << 20, LoadAddress = 0x100000 } },
            [.. Enumerable.Range(0, functions).Select(i => $"{0x100000 + i:x16} T f{i}")]);

        Assert.Equal(Enumerable.Range(0, probes).Select(i => $"p:f{i} f{i}"), recorder.Definitions);
    }

    /// <summary>The image, whether the user gave a definition, and what is said.</summary>
    [Theory]
    [InlineData("flat", false, "p:entry 0x100000", "no symbols were found in flat, so only its entry point is probed; REMEDY, or give addresses with -p")]
    [InlineData("flat", true, "p 0x100001", null)]
    [InlineData("elf", false, "p:entry 0x100000", "no symbols were found in elf, so only its entry point is probed; REMEDY, or give addresses with -p")]
    [InlineData("elf", true, "p 0x100001", "no symbols were found in elf, so only addresses can be probed; REMEDY")]
    public void Image_without_symbols_is_probed_where_it_is_entered_and_that_is_said(string name, bool user, string definition, string? said)
    {
        byte[] code = [0x90, 0x90, 0x90, 0x90];
        byte[] image = name == "flat" ? code : new ElfBuilder { Entry = 0x100000 }.Segment(0x100000, 0x100000, code).Build();
        List<string> warnings = [];
        using Recorder recorder = RecordedGuest.Open(new RecordingOptions
        {
            Image = name,
            ImageBytes = image,
            Load = new ImageLoadOptions { MemorySize = 16 << 20, LoadAddress = name == "flat" ? 0x100000 : null },
            Probes = user ? ["p 0x100001"] : [],
            Warn = warnings.Add,
        });

        Assert.Equal([definition], recorder.Definitions);
        Assert.Equal(said is null ? [] : [said.Replace("REMEDY", SymbolNotice.Remedy, StringComparison.Ordinal)], warnings);
        Assert.False(SymbolNotice.HasFunctions(recorder.Session));
    }

    [Fact]
    public void Linux_without_any_of_the_known_functions_is_not_probed_and_that_is_said()
    {
        List<string> warnings = [];
        using Recorder recorder = OpenLinux(["another"], warnings.Add);

        Assert.Empty(recorder.Definitions);
        Assert.False(recorder.HasProbes);
        Assert.Equal(["vmlinux has none of the functions that are probed without -p; give probes with -p, --list shows where they can be"], warnings);
        Assert.Equal("no symbols were found in flat, so nothing is probed; " + SymbolNotice.Remedy + ", or give addresses with -p", OfFlat(false, 0));
        Assert.Equal("no symbols were found in flat, so only its entry point is probed; " + SymbolNotice.Remedy + ", or give addresses with -p", OfFlat(false, 1));
        Assert.Null(OfFlat(true, 0));
    }

    private static string? OfFlat(bool userProbes, int definitions)
    {
        using GuestSession session = GuestSession.Open(
            new RecordingOptions { Image = "flat", ImageBytes = new byte[] { 0x90 }, Load = new ImageLoadOptions { MemorySize = 16 << 20, LoadAddress = 0x100000 } }, _ => { });
        return SymbolNotice.For(session, userProbes, definitions);
    }

    /// <summary>A Linux whose functions, a byte each, have these names.</summary>
    private static Recorder OpenLinux(string[] names, Action<string>? warn = null)
    {
        byte[] code = [.. Enumerable.Repeat((byte)0x90, 0x1000), .. "Linux version 6.1.0-small (x) #1\0"u8];
        byte[] image = new ElfBuilder { Entry = 0x100_0000 }.Segment(Linux, 0x100_0000, code).Section(".text", 1, new byte[16], address: Linux, flags: 6).Build();
        return RecordedGuest.Open(
            new RecordingOptions { Image = "vmlinux", ImageBytes = image, Load = new ImageLoadOptions { MemorySize = 32 << 20 }, Warn = warn },
            [$"{Linux:x16} T _stext", .. names.Select((n, i) => $"{Linux + 16 + ((ulong)i * 16):x16} T {n}"), $"{Linux + 0xF00:x16} T _etext", $"{Linux + 0x1000:x16} T _end"]);
    }
}
