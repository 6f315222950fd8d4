using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using KprobeTrace.Cpu;
using KprobeTrace.Probes;
using Xunit;

namespace KprobeTrace.Tests.Probes;

/// <summary>
/// Random fetch arguments over random memory, evaluated a second time as docs/probes.md reads: from the inside out, one byte
/// after the other.
/// </summary>
public sealed unsafe class FetchModelTests
{
    private const ulong Kernel = 0xffff_8880_0000_0000;
    private const ulong User = 0x40_0000;
    private const ulong LastUser = 0x7fff_ffff_efc0;
    private const ulong Stack = 0xffff_c900_0000_3fc0;
    private const int Block = 64;

    private static readonly string[] _registers =
    [
        "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "ip", "flags", "cs", "ss", "orig_ax",
    ];

    private static readonly string[] _parameters = ["di", "si", "dx", "cx", "r8", "r9"];

    private readonly Dictionary<ulong, byte> _memory = [];
    private readonly ulong[] _values = new ulong[21];
    private Random _random = new(0);

    private delegate ulong? Source();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Arguments_are_what_reading_byte_after_byte_gives(int seed)
    {
        int faults = 0;
        int values = 0;
        for (int world = 0; world < 60; world++)
        {
            _random = new Random((seed * 1000) + world);
            FakeFetchEnvironment environment = DrawWorld();
            for (int i = 0; i < 50; i++)
            {
                bool isReturn = _random.Next(4) == 0;
                (string text, string expected)[] arguments = [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => DrawArgument(isReturn))];
                string line = $"{(isReturn ? 'r' : 'p')} fn " + string.Join(' ', arguments.Select((a, n) => $"a{n}={a.text}"));
                string expected = string.Join(' ', arguments.Select((a, n) => $"a{n}={a.expected}"));

                Assert.Equal(line + ": " + expected, line + ": " + Fetch(line, environment));
                faults += expected.Contains("(fault)", StringComparison.Ordinal) ? 1 : 0;
                values += expected.Contains("(fault)", StringComparison.Ordinal) ? 0 : 1;
            }
        }

        Assert.True(faults > 300 && values > 300, $"{faults} with faults and {values} without say too little");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(4094)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(4097)]
    public void A_string_is_read_up_to_its_zero_or_4095_bytes_wherever_it_begins(int length)
    {
        foreach (ulong start in (ulong[])[0, 1, 63])
        {
            FakeFetchEnvironment environment = new();
            environment.WriteText(Kernel + start, new string('x', length));
            _values[7] = Kernel + start;

            Assert.Equal($"a=\"{new string('x', Math.Min(length, 4095))}\" b=\"\"", Fetch($"p fn a=+0(%di):string b=+{length}(%di):string", environment));
        }
    }

    [Theory]
    [InlineData(0x7fff_ffff_effeUL, "a=97 b=97 c=\"a\" d=\"a\"")]
    [InlineData(0x7fff_ffff_efffUL, "a=97 b=97 c=(fault) d=\"a\"")]
    [InlineData(0x7fff_ffff_f000UL, "a=97 b=(fault) c=(fault) d=\"a\"")]
    [InlineData(0x7fff_ffff_f001UL, "a=97 b=(fault) c=(fault) d=\"a\"")]
    public void The_last_page_of_the_lower_half_is_no_users(ulong address, string expected)
    {
        FakeFetchEnvironment environment = new();
        environment.Write(address & ~63UL, new byte[128]);
        environment.Write(address, "a\0"u8);
        _values[7] = address;

        Assert.Equal(expected, Fetch("p fn a=+0(%di):u8 b=+u0(%di):u8 c=+0(%di):ustring d=+0(%di):string", environment));
    }

    [Theory]
    [InlineData(0x0UL, 2047, false)]
    [InlineData(0x0UL, 2048, true)]
    [InlineData(0x3ff8UL, 0, false)]
    [InlineData(0x3ff8UL, 1, true)]
    [InlineData(0x2000UL, 1023, false)]
    [InlineData(0x2000UL, 1024, true)]
    public void Words_beyond_the_stacks_16_KiB_are_0(ulong offset, int word, bool isBeyond)
    {
        const ulong stack = 0xffff_c900_0000_4000;
        FakeFetchEnvironment environment = new();
        environment.WriteWord(stack + offset + ((ulong)word * 8), 77);
        _values[4] = stack + offset;

        Assert.Equal(isBeyond ? "a=0" : "a=77", Fetch($"p fn a=$stack{word}:u64", environment));
    }

    private FakeFetchEnvironment DrawWorld()
    {
        FakeFetchEnvironment environment = new()
        {
            CpuIndex = _random.Next(8),
            CurrentPid = _random.Next(-1, 40_000),
            RetiredInstructions = (ulong)_random.NextInt64(),
            Comm = new string('c', _random.Next(16)),
        };
        _memory.Clear();
        foreach (ulong start in (ulong[])[Kernel, User, LastUser - (20 * Block), Stack - (4 * Block), FakeProbeTarget.Data])
        {
            for (ulong block = 0; block < 21; block++)
            {
                if (_random.Next(5) > 0)
                {
                    DrawBlock(start + (block * Block));
                }
            }
        }

        foreach ((ulong address, byte value) in _memory)
        {
            environment.Write(address, [value]);
        }

        for (int i = 0; i < _values.Length; i++)
        {
            _values[i] = DrawWord();
        }

        _values[4] = Stack + (ulong)_random.Next(8) * 8;
        _pid = environment.CurrentPid;
        _cpu = environment.CpuIndex;
        _instructions = environment.RetiredInstructions;
        _comm = environment.Comm;
        return environment;
    }

    private int _pid;
    private int _cpu;
    private ulong _instructions;
    private string _comm = "";

    private void DrawBlock(ulong address)
    {
        byte[] bytes = new byte[Block];
        for (int i = 0; i < Block; i += 8)
        {
            ulong word = _random.Next(3) == 0 ? BinaryPrimitives.ReadUInt64LittleEndian("some tex"u8) : DrawWord();
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i), word);
        }

        for (int i = 0; i < Block; i++)
        {
            _memory[address + (ulong)i] = bytes[i];
        }
    }

    private ulong DrawWord() => _random.Next(8) switch
    {
        0 => (ulong)_random.NextInt64(long.MinValue, long.MaxValue),
        1 => (ulong)_random.Next(3),
        2 or 3 => User + (ulong)_random.Next(20 * Block),
        4 => LastUser - (ulong)_random.Next(4 * Block),
        _ => Kernel + (ulong)_random.Next(20 * Block),
    };

    private (string Text, string Expected) DrawArgument(bool isReturn)
    {
        while (true)
        {
            (string text, string expected) = DrawAny(isReturn);
            if (text.Length <= 63)
            {
                return (text, expected);
            }
        }
    }

    private (string Text, string Expected) DrawAny(bool isReturn)
    {
        switch (_random.Next(20))
        {
            case 0:
                return ("$comm", $"\"{_comm}\"");
            case 1:
                return ("$pid", _pid.ToString(CultureInfo.InvariantCulture));
            case 2:
                return ("$cpu", ((uint)_cpu).ToString(CultureInfo.InvariantCulture));
            case 3:
                return ("$insn", _instructions.ToString(CultureInfo.InvariantCulture));
            case 4:
                return ("\\\"text\":string", "\"text\"");
            default:
                break;
        }

        if (_random.Next(3) == 0)
        {
            (string plain, Source value, bool isAddress) = DrawPlain(isReturn);
            if (isAddress && _random.Next(6) == 0)
            {
                return (plain + ":symstr", value() is ulong named ? $"\"{Symbol(named)}\"" : "(fault)");
            }

            (string type, int size, Func<ulong, string> show) = DrawNumber();
            _ = size;
            return (plain + type, value() is ulong v ? show(v) : "(fault)");
        }

        (string inner, Source pointer) = DrawSource(isReturn, _random.Next(3));
        bool user = _random.Next(3) == 0;
        long offset = DrawOffset();
        string source = $"{(offset < 0 ? '-' : '+')}{(user ? "u" : "")}{Math.Abs(offset)}({inner})";
        ulong? at = pointer() is ulong p ? p + (ulong)offset : null;
        int count = _random.Next(3) == 0 ? _random.Next(1, 5) : 0;
        string array = count > 0 ? $"[{count}]" : "";
        switch (_random.Next(6))
        {
            case 0 when count == 0 && !user:
                return (source + ":symstr", at is ulong word && Load(word, 8, false) is ulong v ? $"\"{Symbol(v)}\"" : "(fault)");
            case 1 or 2:
                bool userText = _random.Next(2) == 0;
                return (source + (userText ? ":ustring" : ":string") + array, Items(i => count > 0
                    ? at is ulong table && Load(table + ((ulong)i * 8), 8, user) is ulong text ? ShowText(text, userText || user) : "(fault)"
                    : at is ulong start ? ShowText(start, userText || user) : "(fault)"));
            default:
                (string type, int size, Func<ulong, string> show) = DrawNumber(mayBeNone: count == 0);
                return (source + type + array, Items(i => at is ulong first && Load(first + ((ulong)i * (ulong)size), size, user) is ulong v ? show(v) : "(fault)"));
        }

        string Items(Func<int, string> item) =>
            count == 0 ? item(0) : "{" + string.Join(',', Enumerable.Range(0, count).Select(item)) + "}";
    }

    /// <summary>A source without a dereference at its outside, and whether symstr takes it.</summary>
    private (string Text, Source Value, bool IsAddress) DrawPlain(bool isReturn)
    {
        int register = _random.Next(_registers.Length);
        int word = _random.Next(12);
        switch (_random.Next(6))
        {
            case 0:
                return ("$stack", () => _values[4], false);
            case 1:
                return ($"$stack{word}", () => StackWord(word), true);
            case 2 when isReturn:
                return ("$retval", () => _values[0], true);
            case 2:
                int number = _random.Next(1, 10);
                return number <= 6
                    ? ($"$arg{number}", () => _values[Array.IndexOf(_registers, _parameters[number - 1])], true)
                    : ($"$arg{number}", () => StackWord(number - 6), true);
            case 3:
                long value = _random.Next(3) == 0 ? _random.NextInt64(long.MinValue, long.MaxValue) : _random.Next(-300, 300);
                return ($"\\{value}", () => (ulong)value, false);
            default:
                return ("%" + _registers[register], () => _values[register], true);
        }
    }

    private (string Text, Source Value) DrawSource(bool isReturn, int depth)
    {
        if (depth == 0)
        {
            switch (_random.Next(5))
            {
                case 0:
                    ulong address = DrawWord();
                    return ($"@0x{address:x}", () => Load(address, 8, false));
                case 1:
                    long beyond = _random.Next(-40, 400);
                    return ($"@datasym{(beyond < 0 ? "" : "+")}{beyond}", () => Load(FakeProbeTarget.Data + (ulong)beyond, 8, false));
                default:
                    (string plain, Source value, _) = DrawPlain(isReturn);
                    return (plain, value);
            }
        }

        (string inner, Source pointer) = DrawSource(isReturn, depth - 1);
        bool user = _random.Next(4) == 0;
        long offset = DrawOffset();
        return (
            $"{(offset < 0 ? '-' : '+')}{(user ? "u" : "")}{Math.Abs(offset)}({inner})",
            () => pointer() is ulong at ? Load(at + (ulong)offset, 8, user) : null);
    }

    private long DrawOffset() => _random.Next(3) == 0 ? 0 : _random.Next(-100, 200);

    private (string Type, int Size, Func<ulong, string> Show) DrawNumber(bool mayBeNone = true)
    {
        int size = 1 << _random.Next(4);
        int bits = size * 8;
        ulong mask = bits == 64 ? ulong.MaxValue : (1UL << bits) - 1;
        switch (_random.Next(mayBeNone ? 6 : 5))
        {
            case 0:
                return ($":u{bits}", size, v => (v & mask).ToString(CultureInfo.InvariantCulture));
            case 1:
                return ($":x{bits}", size, v => $"0x{v & mask:x}");
            case 2:
                return ($":s{bits}", size, v => Signed(v & mask, bits).ToString(CultureInfo.InvariantCulture));
            case 3:
                int width = _random.Next(1, bits + 1);
                int shift = _random.Next(0, bits - width + 1);
                return ($":b{width}@{shift}/{bits}", size, v => string.Concat(
                    Enumerable.Range(shift, width).Reverse().Select(bit => (v >> bit) & 1)).TrimStart('0') is { Length: > 0 } digits
                        ? Convert.ToUInt64(digits, 2).ToString(CultureInfo.InvariantCulture) : "0");
            case 4:
                return (":symbol", 8, Symbol);
            default:
                return ("", 8, v => $"0x{v:x}");
        }
    }

    private static Int128 Signed(ulong value, int bits) =>
        (value >> (bits - 1)) == 1 ? (Int128)value - (Int128.One << bits) : value;

    private static string Symbol(ulong value) => $"sym+0x{value & 0xff:x}/0x100";

    private ulong? StackWord(int number)
    {
        ulong address = _values[4] + ((ulong)number * 8);
        return address / 16384 == _values[4] / 16384 ? Load(address, 8, false) : 0;
    }

    /// <summary>A number in memory, the low byte first; null where a byte is not there.</summary>
    private ulong? Load(ulong address, int size, bool user)
    {
        ulong value = 0;
        for (int i = 0; i < size; i++)
        {
            if ((user && address >= 0x7fff_ffff_f000) || !_memory.TryGetValue(address + (ulong)i, out byte one))
            {
                return null;
            }

            value += (ulong)one << (8 * i);
        }

        return value;
    }

    /// <summary>A text in memory, all of it in pieces of 64 bytes that are there as a whole or not at all.</summary>
    private string ShowText(ulong address, bool user)
    {
        List<byte> text = [];
        while (text.Count < 4095)
        {
            if (Load(address + (ulong)text.Count, 1, user) is not ulong one)
            {
                return "(fault)";
            }

            if (one == 0)
            {
                break;
            }

            text.Add((byte)one);
        }

        return $"\"{Encoding.UTF8.GetString([.. text])}\"";
    }

    private string Fetch(string line, FakeFetchEnvironment environment)
    {
        FetchProgram program = ProbeDefinition.Parse(line, new FakeProbeTarget()).CompileArguments();
        FetchBuffer buffer = program.CreateBuffer();
        PtRegs registers = default;
        _values.CopyTo(new Span<ulong>(&registers, _values.Length));

        // SAFETY: a local of this frame, alive through the call.
        program.Execute(&registers, environment, buffer);
        return buffer.Format(environment);
    }
}
