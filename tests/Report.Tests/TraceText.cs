using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using KprobeTrace.Tests.Report.Models;
using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Report;

/// <summary>A history written as text, one row each for what a trace holds; blank rows and what follows <c>#</c> are nothing.</summary>
/// <remarks>
/// <code>
/// p:open do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring       # a probe as kprobe_events takes it, p:GROUP/open too; ids by order
/// r:open_ret do_sys_openat2 ret=$retval:s64
/// 300 open sh-42 name=/etc/passwd %di=17 caller=ksys_open+8    # TIME PROBE [KIND] [TASK] [WHAT=VALUE]…
/// 340 open_ret sh-42 ret=3
/// 600 open fault vector=14 error=2 cr2=0x10
/// console 50 "Linux version 6.1.0"
/// poke 10 do_sys_openat2 55 CC arm                             # TIME PLACE OLD NEW REASON
/// note 900 miss open 4 "no free instance"                      # TIME KIND PROBE COUNT TEXT; - for no probe
/// symbol ksys_open at=0xffffffff81300000 size=0x80 module=m    # else 256 bytes at 0xffffffff81000000, …1000, …2000
/// image vmlinuz-a                                              # also kernel, cmdline, memory, initrd
/// end exit time=700 insn=900 code=3                            # else poweroff, one nanosecond behind the last event
/// cut                                                          # no end: the recording was cut off
/// </code>
/// An event's kind is <c>post</c> or <c>fault</c>, else <c>pre</c> or <c>ret</c> as its probe is; its task is NAME-PID, <c>-</c> for none, else
/// <c>init-1</c>. WHAT is an argument of the probe (else 0 or ""; <c>?</c> could not be read, <c>{1,2}</c> is an array), a register behind
/// <c>%</c>, or one of caller, stack (<c>f+1,g+2</c>), of (the number of the event that it completes; <c>-</c>: the trace does not say),
/// entered (the time that a return names), insn, cpu, vector, error, cr2, handled=1, truncated=1. Without <c>of</c> a return completes the
/// innermost open call of its task and function, a post or fault the last hit of its probe in its task. Texts with blanks or escapes
/// (<c>\n \t \r \e \a \" \\ \xff</c>) stand in double quotes.
/// </remarks>
internal sealed class TraceText
{
    private const ulong FirstInstruction = 1000;

    private readonly List<HistoryFunction> _functions = [];
    private readonly List<HistoryProbe> _probes = [];
    private readonly List<HistoryEvent> _events = [];
    private readonly List<(ulong, ulong, byte[])> _console = [];
    private readonly List<TraceTextPoke> _pokes = [];
    private readonly List<TraceNote> _notes = [];
    private readonly Dictionary<(int Pid, int Function), Stack<HistoryEvent>> _open = [];
    private TraceHeader _header = new()
    {
        ImageName = "vmlinuz",
        ImageSha256 = "",
        Kernel = "Linux version 6.1.0",
        CommandLine = "quiet",
        MemoryBytes = 64 << 20,
        Producer = "text",
    };

    private TraceFooter? _end = new() { Ended = "poweroff" };

    private TraceText()
    {
    }

    /// <summary>Instructions retired: they have nothing to do with virtual time.</summary>
    private ulong Instructions => FirstInstruction + (ulong)_events.Count;

    /// <summary>The history that a text tells.</summary>
    /// <exception cref="FormatException">A row makes no sense; the message has its number and itself.</exception>
    internal static History Parse(string text)
    {
        TraceText trace = new();
        int number = 0;
        foreach (string row in text.Split('\n'))
        {
            number++;
            try
            {
                List<string> words = Words(row);
                if (words.Count > 0)
                {
                    trace.Row(words);
                }
            }
            catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
            {
                throw new FormatException($"row {number}, '{row.Trim()}': {e.Message}", e);
            }
        }

        return trace.Finish();
    }

    private void Row(List<string> words)
    {
        if (char.IsAsciiDigit(words[0][0]))
        {
            Event(words);
            return;
        }

        if (words[0][0] is 'p' or 'r' && words[0].Length > 1 && words[0][1] == ':')
        {
            Probe(words);
            return;
        }

        ulong time = words[0] is "console" or "poke" or "note" ? Number(Word(words, 1)) : 0;
        switch (words[0])
        {
            case "console":
                _console.Add((time, Instructions, Bytes(Word(words, 2))));
                break;
            case "poke":
                _pokes.Add(new TraceTextPoke(
                    time, Instructions, Address(Word(words, 2)), Convert.FromHexString(Word(words, 3)), Convert.FromHexString(Word(words, 4)), Text(Word(words, 5))));
                break;
            case "note":
                _notes.Add(new TraceNote
                {
                    Kind = Enum.Parse<TraceNoteKind>(Word(words, 2), ignoreCase: true),
                    TimeNs = time,
                    Instructions = Instructions,
                    ProbeId = words[3] == "-" ? -1 : ProbeOf(Word(words, 3)).Definition.Id,
                    Count = Number(Word(words, 4)),
                    Text = Text(Word(words, 5)),
                });
                break;
            case "symbol":
                Dictionary<string, string> of = Values(words, 2, "at", "size", "module");
                if (_functions.Exists(f => f.Name == Text(words[1])))
                {
                    throw new FormatException("the symbol is there already");
                }

                _functions.Add(new HistoryFunction(
                    Text(words[1]), of.TryGetValue("at", out string? at) ? Number(at) : NextAddress(), Number(of.GetValueOrDefault("size", "0x100")), of.GetValueOrDefault("module", "")));
                break;
            case "end":
                Dictionary<string, string> end = Values(words, 2, "time", "insn", "code");
                _end = new TraceFooter
                {
                    Ended = Word(words, 1),
                    TimeNs = Number(end.GetValueOrDefault("time", "0")),
                    Instructions = Number(end.GetValueOrDefault("insn", "0")),
                    ExitCode = (int)Number(end.GetValueOrDefault("code", "0")),
                };
                break;
            case "cut":
                _end = null;
                break;
            default:
                string value = Text(Word(words, 1));
                _header = words[0] switch
                {
                    "image" => _header with { ImageName = value },
                    "kernel" => _header with { Kernel = value },
                    "cmdline" => _header with { CommandLine = value },
                    "memory" => _header with { MemoryBytes = Number(value) },
                    "initrd" => _header with { InitrdSha256 = value },
                    _ => throw new FormatException($"no row begins with {words[0]}"),
                };
                break;
        }
    }

    private void Probe(List<string> words)
    {
        string[] name = words[0][2..].Split('/');
        string[] place = Word(words, 1).Split('+');
        string[] symbol = place[0].Split(':');
        int function = Function(symbol[^1], symbol.Length > 1 ? symbol[0] : "");
        ulong offset = place.Length > 1 ? Number(place[1]) : 0;
        string group = name.Length > 1 ? name[0] : "kprobes";
        if (_probes.Exists(p => p.Definition.Name == Text(name[^1]) && p.Definition.Group == group))
        {
            throw new FormatException("there is a probe of that name");
        }

        _probes.Add(new HistoryProbe(
            new TraceProbe
            {
                Id = _probes.Count,
                Type = words[0][0],
                Group = group,
                Name = Text(name[^1]),
                Symbol = symbol[^1],
                Module = _functions[function].Module,
                Offset = offset,
                Address = _functions[function].Address + offset,
                Definition = string.Join(' ', words),
                Arguments = [.. words.Skip(2).Select(static a => new TraceArgument(a[..a.IndexOf('=')], a.Contains(':') ? a[(a.LastIndexOf(':') + 1)..] : "x64"))],
            },
            function));
    }

    private void Event(List<string> words)
    {
        HistoryProbe probe = ProbeOf(Word(words, 1));
        TraceEventKind kind = probe.IsReturn ? TraceEventKind.Return : TraceEventKind.Pre;
        int at = 2;
        if (words.Count > at && words[at] is "post" or "fault")
        {
            kind = words[at++] == "post" ? TraceEventKind.Post : TraceEventKind.Fault;
        }

        HistoryTask? task = new(1, "init"u8.ToArray());
        if (words.Count > at && Split(words[at]) < 0)
        {
            int dash = words[at].LastIndexOf('-');
            task = words[at] == "-" ? null : dash > 0
                ? new HistoryTask(int.Parse(words[at][(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture), Bytes(words[at][..dash]))
                : throw new FormatException($"{words[at]} is no task; write it as NAME-PID");
            at++;
        }

        ulong[] registers = new ulong[TraceRegisters.Count];
        registers[TraceRegisters.Names.IndexOf("ip")] = probe.Definition.Address;
        registers[TraceRegisters.Names.IndexOf("flags")] = 0x246;
        bool hasArguments = probe.Definition.Arguments.Count > 0 && kind is TraceEventKind.Pre or TraceEventKind.Return;
        object?[] arguments = [.. probe.Definition.Arguments.Select(static a => Plain(a.Type))];
        HistoryEvent e = new()
        {
            Seq = (ulong)_events.Count + 1,
            Kind = kind,
            Probe = probe,
            Task = task,
            Cpu = 0,
            TimeNs = Number(words[0]),
            Instructions = Instructions,
            Vector = kind == TraceEventKind.Fault ? (byte)14 : (byte)0,
        };
        e = Completes(e, words.Skip(at).FirstOrDefault(static w => w.StartsWith("of=", StringComparison.Ordinal))?[3..]);
        foreach (string word in words.Skip(at))
        {
            (string what, string value) = Split(word) is var split && split > 0 ? (word[..split], word[(split + 1)..]) : throw new FormatException($"{word} is no WHAT=VALUE");
            int argument = hasArguments ? probe.Definition.Arguments.ToList().FindIndex(a => a.Name == what) : -1;
            if (argument >= 0)
            {
                arguments[argument] = Value(probe.Definition.Arguments[argument].Type, value);
            }
            else if (what[0] == '%')
            {
                int register = TraceRegisters.Names.IndexOf(what[1..]);
                registers[register >= 0 ? register : throw new FormatException($"{what} is no register")] = Address(value);
            }
            else
            {
                e = With(e, what, value);
            }
        }

        e = e with { Registers = registers, Arguments = hasArguments ? arguments : null };
        _events.Add(e);
        if (kind == TraceEventKind.Pre && probe.IsEntry)
        {
            Open(e).Push(e);
        }
    }

    private HistoryEvent With(HistoryEvent e, string what, string value) => what switch
    {
        "of" => e,
        "caller" => e with { Caller = Address(value) },
        "stack" => e with { Stack = [.. value.Split(',').Select(Address)] },
        "entered" => e with { EntryTimeNs = Number(value) },
        "insn" => e with { Instructions = Number(value) },
        "cpu" => e with { Cpu = checked((ushort)Number(value)) },
        "vector" => e with { Vector = checked((byte)Number(value)) },
        "error" => e with { ErrorCode = checked((uint)Number(value)) },
        "cr2" => e with { Cr2 = Address(value) },
        "handled" => e with { IsHandled = value == "1" },
        "truncated" => e with { IsTruncated = value == "1" },
        _ => throw new FormatException($"{what} is no argument of {e.Probe.Definition.Name} and nothing else that an event has"),
    };

    /// <summary>An event with what it says of the event that it completes: a number, - for nothing, null for what is plain.</summary>
    private HistoryEvent Completes(HistoryEvent e, string? of)
    {
        if (e.Kind == TraceEventKind.Pre)
        {
            return of is null ? e : throw new FormatException("a hit completes nothing");
        }

        HistoryEvent? entry = of switch
        {
            null when e.Kind == TraceEventKind.Return => Open(e).TryPop(out HistoryEvent? call) ? call : null,
            null => _events.FindLast(p => p.Kind == TraceEventKind.Pre && p.Probe == e.Probe && p.Task?.Pid == e.Task?.Pid),
            "-" => null,
            _ => Number(of) is var seq && seq > 0 && seq <= (ulong)_events.Count ? _events[(int)seq - 1] : throw new FormatException($"there is no event {of} before it"),
        };
        return entry is null ? e : e with { EntrySeq = entry.Seq, EntryTimeNs = e.Kind == TraceEventKind.Return ? entry.TimeNs : 0 };
    }

    private Stack<HistoryEvent> Open(HistoryEvent e)
    {
        (int, int) key = (e.Task?.Pid ?? 0, e.Probe.Function);
        if (!_open.TryGetValue(key, out Stack<HistoryEvent>? calls))
        {
            _open.Add(key, calls = []);
        }

        return calls;
    }

    private History Finish() => new()
    {
        Header = _header with
        {
            ImageSha256 = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_header.ImageName))),
            Cpus = 1 + _events.Max(static e => (int?)e.Cpu) ?? 1,
        },
        Footer = _end is null ? null : _end with
        {
            TimeNs = _end.TimeNs > 0 ? _end.TimeNs : 1 + _events.Max(static e => (ulong?)e.TimeNs) ?? 1,
            Instructions = _end.Instructions > 0 ? _end.Instructions : 1 + Instructions,
            Probes = [.. _probes.Select(p => new TraceProbeCount(
                p.Definition.Id, (ulong)_events.Count(e => e.Probe == p && e.Kind is TraceEventKind.Pre or TraceEventKind.Return), 0, "armed"))],
        },
        Functions = _functions,
        Probes = _probes,
        Events = _events,
        Console = _console,
        Pokes = _pokes,
        Notes = _notes,
        EventsPerChunk = 256,
    };

    private HistoryProbe ProbeOf(string name) =>
        _probes.Find(p => p.Definition.Name == Text(name) || $"{p.Definition.Group}/{p.Definition.Name}" == name) ?? throw new FormatException($"there is no probe {name}");

    private int Function(string name, string module = "")
    {
        int at = _functions.FindIndex(f => f.Name == name);
        if (at < 0)
        {
            at = _functions.Count;
            _functions.Add(new HistoryFunction(name, NextAddress(), 0x100, module));
        }

        return at;
    }

    private ulong NextAddress() => HistoryGen.Kernel + ((ulong)_functions.Count * 0x1000);

    /// <summary>A number, or SYMBOL+OFFSET; a symbol that is new gets the next address.</summary>
    private ulong Address(string text)
    {
        if (text.Length == 0 || char.IsAsciiDigit(text[0]) || text[0] == '-')
        {
            return Number(text);
        }

        string[] parts = text.Split('+');
        return _functions[Function(parts[0])].Address + (parts.Length > 1 ? Number(parts[1]) : 0);
    }

    private static object? Plain(string type) => type.IndexOf('[') is var at && at < 0
        ? HistoryValues.Plain(type)
        : Enumerable.Repeat(HistoryValues.Plain(type[..at]), (int)Number(type[(at + 1)..^1])).ToArray();

    private static object? Value(string type, string text)
    {
        if (text == "?")
        {
            return null;
        }

        if (type.EndsWith(']'))
        {
            return text is ['{', .., '}'] ? text[1..^1].Split(',').Select(v => Value(type[..type.IndexOf('[')], v)).ToArray() : throw new FormatException($"{text} is no array");
        }

        if (!HistoryValues.IsText(type))
        {
            ulong number = Number(text);
            return HistoryValues.IsSigned(type) ? (long)number : number;
        }

        byte[] bytes = Bytes(text);
        string decoded = Encoding.UTF8.GetString(bytes);
        return Encoding.UTF8.GetBytes(decoded).AsSpan().SequenceEqual(bytes) ? decoded : bytes;
    }

    private static ulong Number(string text) =>
        text.StartsWith("0x", StringComparison.Ordinal) ? ulong.Parse(text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
        : text.StartsWith('-') ? (ulong)long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture)
        : ulong.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private static string Word(List<string> words, int at) => at < words.Count ? words[at] : throw new FormatException("there is something missing");

    private static Dictionary<string, string> Values(List<string> words, int from, params string[] names)
    {
        _ = Word(words, from - 1);
        Dictionary<string, string> values = words.Skip(from).ToDictionary(static w => Split(w) > 0 ? w[..Split(w)] : w, static w => w[(Split(w) + 1)..]);
        return values.Keys.FirstOrDefault(k => !names.Contains(k)) is { } other ? throw new FormatException($"{other} is none of {string.Join(", ", names)}") : values;
    }

    /// <summary>Where a word's = is, -1 where it has none outside of quotes.</summary>
    private static int Split(string word) => word.IndexOfAny(['=', '"']) is var at && at > 0 && word[at] == '=' ? at : -1;

    /// <summary>The words of a row, with their quotes.</summary>
    private static List<string> Words(string row)
    {
        List<string> words = [];
        for (int at = 0; at < row.Length;)
        {
            if (char.IsWhiteSpace(row[at]))
            {
                at++;
                continue;
            }

            if (row[at] == '#')
            {
                break;
            }

            int start = at;
            for (bool isQuoted = false; at < row.Length && (isQuoted || !char.IsWhiteSpace(row[at])); at++)
            {
                isQuoted ^= row[at] == '"';
                at += isQuoted && row[at] == '\\' ? 1 : 0;
            }

            words.Add(row[start..Math.Min(at, row.Length)]);
        }

        return words;
    }

    private static string Text(string word) => Encoding.UTF8.GetString(Bytes(word));

    /// <summary>A word's bytes: without the quotes around it, and with what its escapes stand for.</summary>
    private static byte[] Bytes(string word)
    {
        if (!word.StartsWith('"'))
        {
            return Encoding.UTF8.GetBytes(word);
        }

        if (word.Length < 2 || !word.EndsWith('"'))
        {
            throw new FormatException($"{word} has no quote at its end");
        }

        List<byte> bytes = [];
        string inner = word[1..^1];
        for (int at = 0; at < inner.Length; at++)
        {
            int slash = inner.IndexOf('\\', at);
            int end = slash < 0 ? inner.Length : slash;
            bytes.AddRange(Encoding.UTF8.GetBytes(inner[at..end]));
            at = end + 1;
            if (slash >= 0)
            {
                bytes.Add((at < inner.Length ? inner[at] : '\0') switch
                {
                    'n' => 0x0A,
                    't' => 0x09,
                    'r' => 0x0D,
                    'e' => 0x1B,
                    'a' => 0x07,
                    '"' or '\\' => (byte)inner[at],
                    'x' => byte.Parse(inner.AsSpan(at + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                    _ => throw new FormatException($"there is no escape {inner[slash..Math.Min(at + 1, inner.Length)]}"),
                });
                at += inner[at] == 'x' ? 2 : 0;
            }
        }

        return [.. bytes];
    }
}
