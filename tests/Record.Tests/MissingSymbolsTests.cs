using KprobeTrace.Tests.Loaders;
using KprobeTrace.Tests.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>An image without symbols, or without a function to probe, is said to be one, and what to do about it.</summary>
public sealed class MissingSymbolsTests : IDisposable
{
    private const string Remedy = "name its System.map or an ELF with symbols with --symbols";

    private const ulong LoadAddress = 0x100_0000;

    // mov eax, 0; out 0xF4, eax; hlt
    private static readonly byte[] _code = [0xB8, 0, 0, 0, 0, 0xE7, 0xF4, 0xF4];

    private readonly Folder _folder = new();

    public static TheoryData<string, string, string> Cases => new()
    {
        { "linux", "", $"kprobe-record: no symbols were found in linux, so nothing is probed; {Remedy}, or give addresses with -p" },
        { "linux", "p 0xffffffff81000000", $"kprobe-record: no symbols were found in linux, so only addresses can be probed; {Remedy}" },
        { "elf", "", $"kprobe-record: no symbols were found in elf, so only its entry point is probed; {Remedy}, or give addresses with -p" },
        { "flat", "", $"kprobe-record: no symbols were found in flat, so only its entry point is probed; {Remedy}, or give addresses with -p" },
        { "other", "", "kprobe-record: other has none of the functions that are probed without -p; give probes with -p, --list shows where they can be" },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_recording_and_a_dry_run_say_it_in_one_line(string image, string probe, string expected)
    {
        string[] arguments = [.. Image(image), .. probe.Length > 0 ? (string[])["-p", probe] : []];

        using ToolRun recording = ToolRun.Record(_folder.Name, arguments);
        using ToolRun dry = ToolRun.Record(_folder.Name, [.. arguments, "--dry-run"]);

        Assert.Equal(expected, Assert.Single(recording.Good().ErrorLines, line => line.Contains("symbols were found", StringComparison.Ordinal) || line.Contains("has none", StringComparison.Ordinal)));
        Assert.Equal(expected, Assert.Single(dry.Good().ErrorLines));
        Assert.Equal(image is "elf" or "flat", recording.Error.Contains("no probes given; using these:", StringComparison.Ordinal));
    }

    [Fact]
    public void A_probe_on_a_name_that_cannot_be_known_is_refused_after_the_reason()
    {
        using ToolRun run = ToolRun.Record(_folder.Name, [.. Image("linux"), "-p", "p kernel_clone"]);

        Assert.Equal(1, run.Exit);
        Assert.Contains(Remedy, run.ErrorLines[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Addresses_of_a_flat_image_are_probed_without_a_word()
    {
        using ToolRun run = ToolRun.Record(_folder.Name, [.. Image("flat"), "-p", "p 0x100000", "--dry-run"]);

        Assert.Empty(run.Good().Error);
    }

    [Fact]
    public void A_dry_run_tells_the_kernels_release_and_how_many_types_and_functions_it_has()
    {
        BtfBuilder types = new();
        int number = types.Int("int", 4);
        _ = types.Pointer(number);
        _ = types.Struct("task_struct", 4, ("pid", number, 0, 0));
        File.WriteAllBytes(_folder["typed"], Linux().Section(".BTF", 1, types.Build()).Build());
        using ToolRun typed = ToolRun.Record(_folder.Name, "typed", "-m", "64M", "--dry-run");
        using ToolRun plain = ToolRun.Record(_folder.Name, [.. Image("linux"), "--dry-run"]);

        Assert.Equal(["kernel   6.1.0", "entry    0xffffffff81000000", "symbols  0, 0 of them functions", "types    3 of BTF"], typed.Good().Output.Split('\n')[1..5]);
        Assert.Equal(["kernel   6.1.0", "entry    0xffffffff81000000", "symbols  0, 0 of them functions", "types    none"], plain.Good().Output.Split('\n')[1..5]);
    }

    [Fact]
    public void Quiet_keeps_it_quiet()
    {
        using ToolRun run = ToolRun.Record(_folder.Name, [.. Image("linux"), "-q"]);

        Assert.Empty(run.Good().Error);
    }

    [Theory]
    [InlineData("--list")]
    [InlineData("--count-only", "*")]
    [InlineData("--list-blacklist")]
    public void What_needs_symbols_fails_and_says_what_to_do(params string[] verb)
    {
        using ToolRun run = ToolRun.Record(_folder.Name, [.. Image("linux"), .. verb]);

        Assert.Equal(1, run.Exit);
        Assert.Contains(Remedy, Assert.Single(run.ErrorLines), StringComparison.Ordinal);
    }

    private static ElfBuilder Linux() => new ElfBuilder { Entry = LoadAddress }
        .Segment(KallsymsBuilder.Base, LoadAddress, [.. _code, .. "Linux version 6.1.0 (a@b)\0"u8]);

    private string[] Image(string name)
    {
        byte[] bytes = name switch
        {
            "linux" => Linux().Build(),
            "other" => Linux().Segment(KallsymsBuilder.LinkAddress, 2 * LoadAddress, Kallsyms()).Build(),
            "elf" => new ElfBuilder { Entry = LoadAddress }.Segment(LoadAddress, LoadAddress, _code).Build(),
            _ => _code,
        };
        File.WriteAllBytes(_folder[name], bytes);
        return [name, .. name == "flat" ? (string[])["--load", "0x100000", "-m", "64M"] : ["-m", "64M"]];
    }

    private static byte[] Kallsyms() => KallsymsBuilder.Of("7.0").Build(
        [.. Enumerable.Range(0, 600).Select(i => (KallsymsBuilder.Base + (ulong)(i * 16), 't', "function_" + i))]);
}
