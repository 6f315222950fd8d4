using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using KprobeTrace.Files;
using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using KprobeTrace.Tracing;

namespace KprobeTrace.Record;

/// <summary>The options of kprobe-record and what they say together.</summary>
internal sealed class RecordCommand
{
    private readonly RecordConsole _terminal;

    private readonly Argument<string?> _image = new("IMAGE")
    {
        Description = "Kernel image: bzImage, vmlinux or other ELF, or a flat binary. Without it the embedded demo kernel runs.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string[]> _probes = Repeatable("--probe", "-p", "DEF", "Probe definition as in kprobe_events: 'p:NAME SYM[+OFF] ARGS' or 'r:NAME SYM ARGS'. Repeatable.");
    private readonly Option<string[]> _probeFiles = Repeatable("--probe-file", null, "FILE", "File with one definition a line; '#' starts a comment. Repeatable.");
    private readonly Option<bool> _skipRefused = Flag("--skip-refused", "Leave out probe definitions that are refused, and say how many and why.");
    private readonly Option<string[]> _filters = Repeatable("--filter", null, "NAME: EXPR", "Record only the hits of NAME for which EXPR holds. Repeatable.");
    private readonly Option<string> _kinds = Text("--kinds", "LIST", $"Which events to write: {TraceEventKinds.List} (all). Reports count hits, which are pre and ret.");
    private readonly Option<string> _output = Text("--output", "FILE", "Trace file (trace.mpk); an existing one becomes FILE.old.", "-o");
    private readonly Option<string> _append = Text("--append", "TEXT", $"Kernel command line ('{ImageLoadOptions.LinuxCommandLine}' for Linux).");
    private readonly Option<string> _initrd = Text("--initrd", "FILE", "Initramfs handed to the kernel.");
    private readonly Option<ulong?> _memory = new("--memory", "-m")
    {
        Description = "Guest RAM, such as 512M or 2G (512M).",
        HelpName = "SIZE",
        CustomParser = static r => Parse(r, "wants a size such as 512M or 2G, at most 3G", ParseSize),
    };

    private readonly Option<string> _symbols = Text("--symbols", "FILE", "System.map or ELF whose symbols are added to those of the image.");
    private readonly Option<ulong?> _load = Address("--load", "Load address of a flat image (0x100000).");
    private readonly Option<ulong?> _entry = Address("--entry", "Entry address of a flat image (its load address).");
    private readonly Option<int?> _mode = new("--mode")
    {
        Description = "Mode a flat image is entered in: 16, 32 or 64 (64).",
        HelpName = "BITS",
        CustomParser = static r => Parse(r, "is 16, 32 or 64", ParseMode),
    };

    private readonly Option<string> _engine = Text("--engine", "NAME", "Execution engine: interpreter or auto (auto).");
    private readonly Option<long?> _maxInstructions = Limit("--max-instructions", "Stop after N retired instructions.");
    private readonly Option<long?> _maxEvents = Limit("--max-events", "Stop after N recorded events.");
    private readonly Option<double?> _timeout = new("--timeout")
    {
        Description = "Stop after so many seconds of the host's time.",
        HelpName = "SECONDS",
        CustomParser = static r => Parse(r, "wants a number of seconds above 0", ParseSeconds),
    };

    private readonly Option<string[]> _saveAt = new("--save-at")
    {
        Description = "Save the guest in FILE behind the first event named EVENT, or when INSN instructions have retired, and run on. Repeatable.",
        HelpName = "EVENT|INSN FILE",
        Arity = new ArgumentArity(2, 2),
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = static _ => [],
    };

    private readonly Option<string> _from = Text("--from", "FILE", "Go on with the guest that --save-at saved, whose image this has to be; probes and limits may be others.");
    private readonly Option<string> _console = Text("--console", "FILE|none", "Where the guest's serial output goes (stdout, also written -).");
    private readonly Option<bool> _allowBlacklisted = Flag("--allow-blacklisted", "Probe what Linux refuses.");
    private readonly Option<string?> _list = new("--list")
    {
        Description = "Print what can be probed, with the reason where it cannot, and exit; GLOB narrows it to matching names.",
        HelpName = "GLOB",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<bool> _listProbes = Flag("--list-probes", "Register the probes, print them as Linux does in debugfs' kprobes/list, and exit.");
    private readonly Option<bool> _listBlacklist = Flag("--list-blacklist", "Print what Linux refuses to probe, as it does in debugfs' kprobes/blacklist, and exit.");
    private readonly Option<string> _countOnly = Text("--count-only", "GLOB", "Count how often matching functions begin, by the engine itself and without probes; print the counts, write no trace.");
    private readonly Option<bool> _dryRun = Flag("--dry-run", "Check image and probes, print where each lands, and exit.");
    private readonly Option<bool> _json = Flag("--json", "Print the closing summary as one JSON object on stdout; the guest's console then goes nowhere unless named.");
    private readonly Option<bool> _quiet = Flag("--quiet", "Print errors only; the guest's console then goes nowhere unless named.", "-q");
    private readonly Option<bool> _verbose = Flag("--verbose", "Say more: undefined instructions, definitions in force, the probes at the end as debugfs lists them.", "-v");

    public RecordCommand(RecordConsole console)
    {
        _terminal = console;
        Root = new RootCommand(
            "Runs a kernel image in an emulator with Linux-style kprobes on it and records every hit in a MessagePack trace.\n\n"
            + "Example: dotnet kprobe-record vmlinuz --initrd initramfs.cpio.gz -p 'p:open do_sys_openat2 name=+0(%si):ustring' -o boot.mpk");
        Root.Add(_image);
        Option[] options =
        [
            _probes, _probeFiles, _skipRefused, _filters, _kinds, _output, _append, _initrd, _memory, _symbols, _load, _entry, _mode, _engine,
            _maxInstructions, _maxEvents, _timeout, _saveAt, _from, _console, _allowBlacklisted, _list, _listProbes, _listBlacklist, _countOnly, _dryRun, _json, _quiet, _verbose,
        ];
        foreach (Option option in options)
        {
            Root.Add(option);
        }

        _image.Validators.Add(RefuseMisspeltOption);
        _saveAt.Validators.Add(static r =>
        {
            if (r.Tokens.Count % 2 != 0)
            {
                r.AddError($"{r.Option.Name} wants {r.Option.HelpName} behind it");
            }
        });
        Choice(_engine, "there is no such engine; use interpreter or auto", name => name is "auto" or "interpreter");
        Choice(_kinds, $"the kinds of events are {TraceEventKinds.List}", list => TryParseKinds(list, out _));
        Root.SetAction(Execute);
        RecordHelp.Install(Root);
    }

    public RootCommand Root { get; }

    private static Option<string[]> Repeatable(string name, string? alias, string help, string description)
    {
        Option<string[]> option = new(name)
        {
            Description = description,
            HelpName = help,
            DefaultValueFactory = static _ => [],
        };
        if (alias is not null)
        {
            option.Aliases.Add(alias);
        }

        return option;
    }

    private static Option<string> Text(string name, string help, string description, string? alias = null)
    {
        Option<string> option = new(name) { Description = description, HelpName = help };
        if (alias is not null)
        {
            option.Aliases.Add(alias);
        }

        return option;
    }

    private static Option<bool> Flag(string name, string description, string? alias = null)
    {
        Option<bool> option = new(name) { Description = description };
        if (alias is not null)
        {
            option.Aliases.Add(alias);
        }

        return option;
    }

    private static Option<long?> Limit(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = static r => Parse(r, $"wants a number from 1 to {long.MaxValue}", ParseLimit),
    };

    /// <summary>Refuses a value that is none of an option's.</summary>
    private static void Choice(Option option, string remedy, Predicate<string> allows) =>
        option.Validators.Add(r =>
        {
            if (r.Tokens.Count == 1 && !allows(r.Tokens[0].Value))
            {
                r.AddError($"{option.Name} '{Excerpt.Of(r.Tokens[0].Value)}': {remedy}.");
            }
        });

    /// <summary>A misspelt option would be taken for the image.</summary>
    private static void RefuseMisspeltOption(ArgumentResult result)
    {
        if (result.Tokens.Count == 1 && result.Tokens[0].Value is { } name && name.StartsWith('-'))
        {
            result.AddError($"There is no option '{Excerpt.Of(name)}' (an image of that name is written ./{Excerpt.Of(name)}).");
        }
    }

    /// <summary>The value of an option, or the error that says what it wants.</summary>
    private static T? Parse<T>(ArgumentResult result, string wants, Func<string, T?> parse)
        where T : struct
    {
        string text = result.Tokens[0].Value;
        T? value = parse(text);
        if (value is null)
        {
            result.AddError($"{(result.Parent as OptionResult)?.Option.Name} {wants}, not '{Excerpt.Of(text)}'.");
        }

        return value;
    }

    private static int? ParseMode(string text) => text switch { "16" => 16, "32" => 32, "64" => 64, _ => null };

    private static double? ParseSeconds(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) && seconds > 0 ? seconds : null;

    private static long? ParseLimit(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value >= 1 ? value : null;

    private static Option<ulong?> Address(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "ADDR",
        CustomParser = static r => Parse(r, "wants an address of at most 64 bits, as 0x100000 or in decimal", ParseAddress),
    };

    private static ulong? ParseAddress(string text)
    {
        bool hex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return ulong.TryParse(hex ? text[2..] : text, hex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : null;
    }

    private static ulong? ParseSize(string text)
    {
        int shift = char.ToUpperInvariant(text.Length > 0 ? text[^1] : ' ') switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        string number = shift == 0 ? text : text[..^1];
        return ulong.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) && value > 0 && value <= (1UL << 40) >> shift
            ? value << shift
            : null;
    }

    private int Execute(ParseResult result)
    {
        RecordingOptions options = Options(result);
        ConsoleChoice console = new(result.GetValue(_console), OffByDefault: result.GetValue(_json) || result.GetValue(_quiet));
        if (options.SaveAt.Count > 0 && (result.GetResult(_list) is not null || result.GetValue(_listBlacklist) || result.GetValue(_listProbes)
            || result.GetValue(_dryRun) || result.GetValue(_countOnly) is not null))
        {
            throw new KprobeTraceException("--save-at: only a run that records saves its guest; leave it or the other option out");
        }

        if (result.GetResult(_list) is not null)
        {
            return ListVerb.Run(options, result.GetValue(_list) ?? "*", _terminal);
        }

        if (result.GetValue(_listBlacklist))
        {
            return DebugfsVerb.PrintBlacklist(options, _terminal);
        }

        if (result.GetValue(_listProbes))
        {
            return DebugfsVerb.PrintProbes(options, _terminal);
        }

        if (result.GetValue(_dryRun))
        {
            return DryRunVerb.Run(options, _terminal);
        }

        KeepInputs(result, options);
        if (options.From is null && MemoryNotice.For(options.Load.Memory) is string notice)
        {
            options.Warn?.Invoke(notice);
        }

        if (result.GetValue(_countOnly) is string glob)
        {
            return CountVerb.Run(options, glob, console, Timeout(result), _terminal);
        }

        OutputFile.RefuseStandardOutput(
            options.Output, "-o", "stdout is the guest's console; name a file, or /dev/stdout with --console none");
        return RecordVerb.Run(options, console, new RecordVerb.Settings
        {
            Json = result.GetValue(_json),
            Quiet = result.GetValue(_quiet),
            Verbose = result.GetValue(_verbose),
            UserProbes = options.Probes.Count + options.ProbeFiles.Count > 0,
            Timeout = Timeout(result),
        }, _terminal);
    }

    /// <summary>Refuses to write trace or console over a file that is read, or over each other.</summary>
    private void KeepInputs(ParseResult result, RecordingOptions options)
    {
        List<(string?, string)> inputs =
        [
            (result.GetValue(_image), "image"), (options.Load.InitrdPath, "initrd"), (options.SymbolFile, "symbol file"), (options.From, "saved state"),
            .. result.GetRequiredValue(_probeFiles).Select(static file => ((string?)file, "file of probe definitions")),
        ];
        OutputFile.Distinct(options.Output, "-o", inputs);
        foreach (SavePoint point in options.SaveAt)
        {
            OutputFile.RefuseStandardOutput(point.Path, "--save-at", "a saved state goes to a file");
            OutputFile.Distinct(point.Path, "--save-at", [.. inputs, (options.Output, "trace"),
                .. options.SaveAt.Where(p => p != point).Select(static p => ((string?)p.Path, "state of another --save-at"))]);
        }

        if (result.GetValue(_console) is string console and not "none")
        {
            OutputFile.Distinct(console, "--console", [.. inputs, (options.Output, "trace"), .. options.SaveAt.Select(static p => ((string?)p.Path, "saved state"))]);
        }
    }

    /// <summary>The limit of the host's time; null for none.</summary>
    internal TimeSpan? Timeout(ParseResult result) =>
        result.GetValue(_timeout) is double seconds ? TimeSpan.FromSeconds(Math.Min(seconds, 1e6)) : null;

    /// <summary>What a command line says of the recording.</summary>
    internal RecordingOptions Options(ParseResult result)
    {
        string? image = result.GetValue(_image);
        string? from = result.GetValue(_from);
        bool flat = result.GetResult(_load) is { Implicit: false } || result.GetResult(_entry) is { Implicit: false }
            || result.GetResult(_mode) is { Implicit: false };
        ImageLoadOptions load = new()
        {
            MemorySize = result.GetValue(_memory),
            CommandLine = result.GetValue(_append),
            InitrdPath = result.GetValue(_initrd),
            ForceFlat = flat,
            LoadAddress = result.GetValue(_load),
            EntryAddress = result.GetValue(_entry),
            Mode = flat && (from is null || result.GetValue(_mode) is not null) ? (EntryMode)(result.GetValue(_mode) ?? 64) : null,
        };
        return new RecordingOptions
        {
            Image = image ?? EmbeddedDemo.Name,
            ImageBytes = image is null ? EmbeddedDemo.Read() : default(ReadOnlyMemory<byte>?),
            Load = load,
            SymbolFile = result.GetValue(_symbols),
            Probes = result.GetRequiredValue(_probes),
            ProbeFiles = result.GetRequiredValue(_probeFiles),
            SkipRefused = result.GetValue(_skipRefused),
            Filters = result.GetRequiredValue(_filters),
            Kinds = ParseKinds(result.GetValue(_kinds)),
            Output = result.GetValue(_output) ?? "trace.mpk",
            MaxInstructions = result.GetValue(_maxInstructions) ?? 0,
            MaxEvents = result.GetValue(_maxEvents) ?? 0,
            SaveAt = [.. result.GetRequiredValue(_saveAt).Chunk(2).Select(static words => Point(words[0], words[1]))],
            From = from,
            AllowBlacklisted = result.GetValue(_allowBlacklisted),
            Warn = result.GetValue(_quiet) ? null : _terminal.Say,
            Producer = "kprobe-record " + ToolVersion.Short,
        };
    }

    private static SavePoint Point(string where, string path) =>
        long.TryParse(where, NumberStyles.None, CultureInfo.InvariantCulture, out long count)
            ? new SavePoint { Path = path, Instructions = count }
            : new SavePoint { Path = path, Event = where };

    private static EventKinds ParseKinds(string? list) =>
        list is not null && TryParseKinds(list, out EventKinds kinds) ? kinds : EventKinds.All;

    private static bool TryParseKinds(string list, out EventKinds kinds)
    {
        kinds = EventKinds.None;
        foreach (string word in list.Split(',', StringSplitOptions.TrimEntries))
        {
            if (word == "all")
            {
                kinds = EventKinds.All;
            }
            else if (TraceEventKinds.Find(word) is { } kind)
            {
                kinds |= (EventKinds)(1 << (int)kind);
            }
            else
            {
                return false;
            }
        }

        return true;
    }
}
