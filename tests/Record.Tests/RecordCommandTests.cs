using System.CommandLine;
using KprobeTrace.Loaders;
using KprobeTrace.Record;
using KprobeTrace.Recording;
using KprobeTrace.Tools;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>What each option of the command line says, at its least, at its most and where it is not given; nothing is started.</summary>
public sealed class RecordCommandTests
{
    private const string WrongSize = "--memory wants a size such as 512M or 2G, at most 3G, not '{0}'";
    private const string WrongAddress = "wants an address of at most 64 bits, as 0x100000 or in decimal, not '{0}'";
    private const string WrongLimit = "wants a number from 1 to 9223372036854775807, not '{0}'";
    private const string WrongSeconds = "--timeout wants a number of seconds above 0, not '{0}'";

    [Fact]
    public void Empty_command_line_records_the_demo_kernel()
    {
        (RecordingOptions options, TimeSpan? timeout) = Read();

        Assert.Equal(("demo.elf", "trace.mpk", EventKinds.All), (options.Image, options.Output, options.Kinds));
        Assert.Equal("\u007fELF"u8, options.ImageBytes!.Value.Span[..4]);
        Assert.Equal((512UL << 20, "console=ttyS0 panic=-1", false), (options.Load.Memory, options.Load.Line, options.Load.ForceFlat));
        Assert.True(options.Load.InitrdPath is null && options.SymbolFile is null && options.Load.LoadAddress is null && options.Load.EntryAddress is null && options.Load.Mode is null);
        Assert.Equal((0L, 0L, false, false), (options.MaxEvents, options.MaxInstructions, options.SkipRefused, options.AllowBlacklisted));
        Assert.Equal((0, 0, 0), (options.Probes.Count, options.ProbeFiles.Count, options.Filters.Count));
        Assert.True(options.From is null && options.SaveAt.Count == 0 && options.Load.MemorySize is null && options.Load.CommandLine is null);
        Assert.Matches(@"^kprobe-record \d+\.\d+\.\d+$", options.Producer);
        Assert.NotNull(options.Warn);
        Assert.Null(timeout);
    }

    [Fact]
    public void Every_option_says_what_it_is_called_after()
    {
        (RecordingOptions options, TimeSpan? timeout) = Read(
            "kernel", "-p", "p a", "--probe", "p b", "--probe-file", "one", "--probe-file", "two", "--skip-refused", "--filter", "a: x", "--filter", "b: y",
            "--kinds", "pre,fault", "-o", "out", "--append", "quiet", "--initrd", "ramfs", "-m", "64M", "--symbols", "map", "--max-instructions", "5",
            "--max-events", "6", "--timeout", "7", "--allow-blacklisted", "-q");

        Assert.Equal(("kernel", "out", EventKinds.Pre | EventKinds.Fault), (options.Image, options.Output, options.Kinds));
        Assert.Null(options.ImageBytes);
        Assert.Equal(["p a", "p b"], options.Probes);
        Assert.Equal(["one", "two"], options.ProbeFiles);
        Assert.Equal(["a: x", "b: y"], options.Filters);
        Assert.Equal((64UL << 20, "quiet", "ramfs", "map"), (options.Load.MemorySize, options.Load.CommandLine, options.Load.InitrdPath, options.SymbolFile));
        Assert.Equal((5L, 6L, true, true), (options.MaxInstructions, options.MaxEvents, options.SkipRefused, options.AllowBlacklisted));
        Assert.Equal(TimeSpan.FromSeconds(7), timeout);
        Assert.Null(options.Warn);
        Assert.Equal(("out2", 2UL << 30), (Read("--output", "out2").Options.Output, Read("--memory", "2G").Options.Load.MemorySize));
    }

    [Theory]
    [InlineData("-p")]
    [InlineData("--probe-file")]
    [InlineData("--filter")]
    [InlineData("--append")]
    [InlineData("--max-events")]
    public void An_option_takes_one_value_and_the_image_may_stand_behind_it(string option) => Assert.Equal("9", Read(option, "8", "9").Options.Image);

    [Fact]
    public void Help_has_a_name_for_each_value_and_a_sentence_for_each_option() => Assert.All(new RecordCommand(RecordRun.Nowhere).Root.Options, static option =>
    {
        Assert.Matches("^--[a-z-]+$", option.Name);
        Assert.All(option.Aliases, static alias => Assert.Matches("^(-[a-zA-Z?]|/[h?])$", alias));
        Assert.Matches(@"^[A-Z].*\.?$", option.Description);
        if (option is Option<bool>)
        {
            Assert.Null(option.HelpName);
        }
        else if (option.Recursive is false && option.ValueType != typeof(void))
        {
            Assert.Matches("^(FILE|GLOB|N|SIZE|ADDR|BITS|DEF|LIST|NAME|TEXT|SECONDS|NAME: EXPR|EVENT\\|INSN FILE|FILE\\|none)$", option.HelpName);
            Assert.EndsWith(".", option.Description, StringComparison.Ordinal);
        }
    });

    [Theory]
    [InlineData("1", 1)]
    [InlineData("1k", 1L << 10)]
    [InlineData("1K", 1L << 10)]
    [InlineData("512m", 512L << 20)]
    [InlineData("3M", 3L << 20)]
    [InlineData("1g", 1L << 30)]
    [InlineData("3G", 3L << 30)]
    [InlineData("1t", 1L << 40)]
    [InlineData("1T", 1L << 40)]
    [InlineData("1024G", 1L << 40)]
    [InlineData("1048576M", 1L << 40)]
    [InlineData("1073741824K", 1L << 40)]
    [InlineData("1099511627776", 1L << 40)]
    public void Memory_is_a_number_with_a_unit(string text, ulong bytes) => Assert.Equal(bytes, Read("-m", text).Options.Load.MemorySize);

    [Theory]
    [InlineData("16", EntryMode.Real16)]
    [InlineData("32", EntryMode.Protected32)]
    [InlineData("64", EntryMode.Long64)]
    public void Mode_makes_an_image_a_flat_one(string bits, EntryMode mode)
    {
        ImageLoadOptions load = Read("flat", "--mode", bits).Options.Load;

        Assert.Equal((true, mode, null, null), (load.ForceFlat, load.Mode, load.LoadAddress, load.EntryAddress));
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("0x0", 0)]
    [InlineData("4096", 4096)]
    [InlineData("0x1000", 0x1000)]
    [InlineData("0XaBc", 0xABC)]
    [InlineData("18446744073709551615", ulong.MaxValue)]
    [InlineData("0xffffffffffffffff", ulong.MaxValue)]
    public void Addresses_make_an_image_a_flat_one_in_64_bit_mode(string text, ulong address)
    {
        ImageLoadOptions loaded = Read("flat", "--load", text).Options.Load;
        ImageLoadOptions entered = Read("flat", "--entry", text).Options.Load;

        Assert.Equal((true, EntryMode.Long64, address, null), (loaded.ForceFlat, loaded.Mode, loaded.LoadAddress, entered.LoadAddress));
        Assert.Equal((true, EntryMode.Long64, null, address), (entered.ForceFlat, entered.Mode, loaded.EntryAddress, entered.EntryAddress));
    }

    [Theory]
    [InlineData("1", 1)]
    [InlineData("2", 2)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void Limits_are_numbers_from_one(string text, long limit)
    {
        Assert.Equal((limit, 0L), (Read("--max-events", text).Options.MaxEvents, Read("--max-events", text).Options.MaxInstructions));
        Assert.Equal((limit, 0L), (Read("--max-instructions", text).Options.MaxInstructions, Read("--max-instructions", text).Options.MaxEvents));
    }

    [Theory]
    [InlineData("0.001", 1)]
    [InlineData("0.5", 500)]
    [InlineData("1", 1000)]
    [InlineData("999999", 999_999_000)]
    [InlineData("1000000", 1_000_000_000)]
    [InlineData("1000001", 1_000_000_000)]
    [InlineData("99999999999999999999999", 1_000_000_000)]
    public void Timeout_is_in_seconds_and_a_million_at_most(string text, double milliseconds) =>
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), Read("--timeout", text).Timeout);

    [Theory]
    [InlineData("pre", EventKinds.Pre)]
    [InlineData("post", EventKinds.Post)]
    [InlineData("fault", EventKinds.Fault)]
    [InlineData("ret", EventKinds.Return)]
    [InlineData("all", EventKinds.All)]
    [InlineData("pre,ret", EventKinds.Pre | EventKinds.Return)]
    [InlineData("ret, post ,fault", EventKinds.Return | EventKinds.Post | EventKinds.Fault)]
    [InlineData("pre,pre", EventKinds.Pre)]
    [InlineData("pre,all", EventKinds.All)]
    public void Kinds_are_a_list_of_names(string list, EventKinds kinds) => Assert.Equal(kinds, Read("--kinds", list).Options.Kinds);

    [Theory]
    [InlineData("auto")]
    [InlineData("interpreter")]
    public void Engines_are_these(string name) => Assert.Equal("demo.elf", Read("--engine", name).Options.Image);

    [Theory]
    [InlineData(WrongSize, "-m", "")]
    [InlineData(WrongSize, "-m", "0")]
    [InlineData(WrongSize, "-m", "0M")]
    [InlineData(WrongSize, "-m", "1025G")]
    [InlineData(WrongSize, "-m", "1048577M")]
    [InlineData(WrongSize, "-m", "1073741825K")]
    [InlineData(WrongSize, "-m", "1099511627777")]
    [InlineData(WrongSize, "-m", "2T")]
    [InlineData(WrongSize, "-m", "M")]
    [InlineData(WrongSize, "-m", "-1M")]
    [InlineData(WrongSize, "-m", "1.5G")]
    [InlineData(WrongSize, "-m", "64MB")]
    [InlineData(WrongSize, "-m", "64 M")]
    [InlineData("--mode is 16, 32 or 64, not '{0}'", "--mode", "8")]
    [InlineData("--mode is 16, 32 or 64, not '{0}'", "--mode", "064")]
    [InlineData("--load " + WrongAddress, "--load", "0x10000000000000000")]
    [InlineData("--load " + WrongAddress, "--load", "18446744073709551616")]
    [InlineData("--load " + WrongAddress, "--load", "-1")]
    [InlineData("--load " + WrongAddress, "--load", "ff")]
    [InlineData("--entry " + WrongAddress, "--entry", "0x")]
    [InlineData("--entry " + WrongAddress, "--entry", "0x1g")]
    [InlineData("--max-events " + WrongLimit, "--max-events", "0")]
    [InlineData("--max-events " + WrongLimit, "--max-events", "9223372036854775808")]
    [InlineData("--max-instructions " + WrongLimit, "--max-instructions", "-1")]
    [InlineData("--max-instructions " + WrongLimit, "--max-instructions", "+1")]
    [InlineData(WrongSeconds, "--timeout", "0")]
    [InlineData(WrongSeconds, "--timeout", "0.0")]
    [InlineData(WrongSeconds, "--timeout", "-1")]
    [InlineData(WrongSeconds, "--timeout", "1e3")]
    [InlineData(WrongSeconds, "--timeout", "1s")]
    [InlineData("--kinds '{0}': the kinds of events are pre, post, fault, ret", "--kinds", "")]
    [InlineData("--kinds '{0}': the kinds of events are pre, post, fault, ret", "--kinds", "pre,")]
    [InlineData("--kinds '{0}': the kinds of events are pre, post, fault, ret", "--kinds", "pre;ret")]
    [InlineData("--kinds '{0}': the kinds of events are pre, post, fault, ret", "--kinds", "Pre")]
    [InlineData("--engine '{0}': there is no such engine; use interpreter or auto", "--engine", "jit")]
    [InlineData("--engine '{0}': there is no such engine; use interpreter or auto", "--engine", "Auto")]
    public void Value_of_no_use_is_one_wrong_word(string said, params string[] line) =>
        Assert.Equal([string.Format(System.Globalization.CultureInfo.InvariantCulture, said, line[1])], Errors(line));

    [Theory]
    [InlineData("there is no option '--prob'; did you mean --probe?", "kernel", "--prob")]
    [InlineData("There is no option '--qiet' (an image of that name is written ./--qiet); did you mean --quiet?", "--qiet")]
    [InlineData("there is no option '--zzz'", "kernel", "--zzz")]
    public void Misspelt_option_is_no_image(string said, params string[] line) => Assert.Contains(said, Errors(line));

    [Theory]
    [InlineData("--probe wants DEF behind it", "-p")]
    [InlineData("--output wants FILE behind it", "-o")]
    [InlineData("--save-at wants EVENT|INSN FILE behind it", "--save-at", "5")]
    [InlineData("--save-at wants EVENT|INSN FILE behind it", "--save-at", "5", "a", "--save-at", "6")]
    [InlineData("--console wants FILE|none behind it", "--console")]
    [InlineData("--filter wants NAME: EXPR behind it", "--filter")]
    [InlineData("--timeout wants SECONDS behind it", "--timeout")]
    [InlineData("--count-only wants GLOB behind it", "--count-only")]
    [InlineData("--kinds wants LIST behind it", "--kinds")]
    [InlineData("--mode wants BITS behind it", "--mode")]
    [InlineData("--load wants ADDR behind it", "--load")]
    [InlineData("--output is there 2 times; give it once", "-o", "a", "--output", "b")]
    [InlineData("--kinds is there 2 times; give it once", "--kinds", "neither", "--kinds", "nor")]
    [InlineData("'two' is one argument too many", "one", "two")]
    public void Command_line_that_lacks_or_repeats_something_is_wrong(string said, params string[] line) => Assert.Equal([said], Errors(line));

    [Fact]
    public void Switches_have_a_long_and_some_a_short_name()
    {
        RecordCommand command = new(RecordRun.Nowhere);

        Assert.Empty(command.Root.Parse(
            ["-q", "-v", "--json", "--dry-run", "--list-probes", "--list-blacklist", "--list", "--count-only", "x", "--console", "none", "--engine", "auto"]).Errors);
        Assert.Empty(command.Root.Parse(["--quiet", "--verbose", "--list", "vfs*"]).Errors);
        Assert.Equal(
            "--allow-blacklisted --append --console --count-only --dry-run --engine --entry --filter --from --help --initrd --json --kinds --list --list-blacklist --list-probes --load --max-events --max-instructions --memory -m --mode --output -o --probe -p --probe-file --quiet -q --save-at --skip-refused --symbols --timeout --verbose -v --version",
            string.Join(' ', command.Root.Options.OrderBy(static o => o.Name, StringComparer.Ordinal)
                .SelectMany(static o => o.Name == "--help" ? [o.Name] : (string[])[o.Name, .. o.Aliases])));
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("-h")]
    [InlineData("--help", "-m", "zero", "--nosuch", "one", "two")]
    public void Help_is_printed_whatever_else_is_wrong_and_ends_with_the_exit_statuses(params string[] line)
    {
        ParseResult result = new RecordCommand(RecordRun.Nowhere).Root.Parse(line);
        using StringWriter output = new();

        Assert.Empty(result.Errors);
        Assert.Equal(0, result.Invoke(new InvocationConfiguration { Output = output }));
        Assert.StartsWith("Description:\n  Runs a kernel image in an emulator", output.ToString(), StringComparison.Ordinal);
        Assert.Equal(5, output.ToString().Split("\nExit status:\n  0  ")[1].Split("\n  ").Length);
        Assert.EndsWith("With 0, 3 and 4 the trace is complete.\n", output.ToString(), StringComparison.Ordinal);
    }

    private static (RecordingOptions Options, TimeSpan? Timeout) Read(params string[] line)
    {
        RecordCommand command = new(RecordRun.Nowhere);
        ParseResult result = command.Root.Parse(line);
        Assert.Empty(UsageErrors.Of(result));
        return (command.Options(result), command.Timeout(result));
    }

    private static IEnumerable<string> Errors(string[] line) => UsageErrors.Of(new RecordCommand(RecordRun.Nowhere).Root.Parse(line)).Select(static e => e.TrimEnd('.'));
}
