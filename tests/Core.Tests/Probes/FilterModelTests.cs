using System.Globalization;
using System.Numerics;
using System.Text;
using KprobeTrace.Cpu;
using KprobeTrace.Probes;
using KprobeTrace.Tests.Devices.Models;
using Xunit;

namespace KprobeTrace.Tests.Probes;

/// <summary>Random filters on random values, decided a second time by a tree of three-valued logic and numbers without width.</summary>
public sealed unsafe class FilterModelTests
{
    private const string Letters = "abc";

    private static readonly (string Name, int Bits, bool IsSigned, bool IsReadable)[] _fields =
    [
        ("a", 8, false, true), ("b", 16, true, true), ("c", 32, false, true), ("d", 32, true, true),
        ("e", 64, false, true), ("f", 64, true, true), ("gone", 64, false, false),
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_filter_decides_as_three_valued_logic_over_exact_numbers_does(int seed)
    {
        RandomWalk walk = new(seed);
        FakeFetchEnvironment environment = new() { Comm = Text(walk) };
        ProbeDefinition definition = ProbeDefinition.Parse(
            "p fn a=%ax:u8 b=%bx:s16 c=%cx:u32 d=%dx:s32 e=%si:u64 f=%di:s64 gone=+0(%r8):u64 text=+0(%r9):ustring");
        FetchProgram program = definition.CompileArguments();
        FetchBuffer values = program.CreateBuffer();
        int held = 0;
        for (int i = 0; i < 3_000; i++)
        {
            string text = Text(walk);
            environment.WriteText(0x40_0000, text);
            PtRegs registers = new()
            {
                Ax = Word(walk),
                Bx = Word(walk),
                Cx = Word(walk),
                Dx = Word(walk),
                Si = Word(walk),
                Di = Word(walk),
                R8 = 0x1000,
                R9 = 0x40_0000,
            };
            program.Execute(&registers, environment, values);
            ulong[] words = [registers.Ax, registers.Bx, registers.Cx, registers.Dx, registers.Si, registers.Di, 0];
            (string filter, bool? expected, _) = Expression(walk, words, text, environment.Comm, 4);
            bool matches = EventFilter.Parse(filter, definition).Matches(values, 0, 0, environment);
            Assert.True(
                matches == (expected == true),
                $"seed {seed}: {filter}\nwith {string.Join(' ', words.Select(static w => w.ToString("x", CultureInfo.InvariantCulture)))} '{text}' gives {matches}");
            held += matches ? 1 : 0;
        }

        Assert.InRange(held, 300, 2_700);
    }

    /// <summary>Builds an expression with its value and how tightly it binds: 0 for or, 1 for and, 2 for the rest.</summary>
    private static (string Text, bool? Value, int Binds) Expression(RandomWalk walk, ulong[] words, string text, string comm, int depth)
    {
        int kind = depth == 0 ? 9 : walk.Below(10);
        if (kind >= 7)
        {
            return walk.Below(4) == 0 ? OfText(walk, text, comm) : OfNumber(walk, words);
        }

        (string Text, bool? Value, int Binds) left = Expression(walk, words, text, comm, depth - 1);
        if (kind == 0)
        {
            return ($"!({left.Text})", !left.Value, 2);
        }

        (string Text, bool? Value, int Binds) right = Expression(walk, words, text, comm, depth - 1);
        return kind <= 3
            ? ($"{Inside(left, 1)} && {Inside(right, 1)}", left.Value & right.Value, 1)
            : ($"{Inside(left, 0)} || {Inside(right, 0)}", left.Value | right.Value, 0);
    }

    private static string Inside((string Text, bool? Value, int Binds) part, int binds) => part.Binds >= binds ? part.Text : $"({part.Text})";

    private static (string Text, bool? Value, int Binds) OfNumber(RandomWalk walk, ulong[] words)
    {
        int index = walk.Below(_fields.Length);
        (string name, int bits, bool isSigned, bool isReadable) = _fields[index];
        BigInteger modulus = BigInteger.One << bits;
        BigInteger value = words[index] % modulus;
        value = isSigned && value >= modulus / 2 ? value - modulus : value;
        string operation = walk.OneOf("==", "!=", "<", "<=", ">", ">=", "&");
        BigInteger other = walk.Below(3) == 0 && operation == "&" ? BigInteger.One << walk.Below(bits - 1) : value + walk.Below(3) - 1;
        BigInteger least = isSigned && operation != "&" ? -modulus / 2 : 0;
        other = BigInteger.Max(least, BigInteger.Min(other, isSigned ? (modulus / 2) - 1 : modulus - 1));
        string literal = walk.Below(3) == 0 && other >= 0 ? "0x" + ((ulong)other).ToString("x", CultureInfo.InvariantCulture) : other.ToString(CultureInfo.InvariantCulture);
        int order = value.CompareTo(other);
        bool holds = operation switch
        {
            "==" => order == 0,
            "!=" => order != 0,
            "<" => order < 0,
            "<=" => order <= 0,
            ">" => order > 0,
            ">=" => order >= 0,
            _ => (value & other) != 0,
        };
        return ($"{name} {operation} {literal}", isReadable ? holds : null, 2);
    }

    private static (string Text, bool? Value, int Binds) OfText(RandomWalk walk, string text, string comm)
    {
        (string name, string value) = walk.Below(2) == 0 ? ("text", text) : ("comm", comm);
        switch (walk.Below(4))
        {
            case 0:
                string other = walk.Below(2) == 0 ? value : Text(walk);
                return ($"{name} == \"{other}\"", value == other, 2);
            case 1:
                string unlike = walk.Below(2) == 0 ? value : Text(walk);
                return ($"{name} != '{unlike}'", value != unlike, 2);
            default:
                string[] pattern = [.. Enumerable.Range(0, 1 + walk.Below(6)).Select(_ => walk.OneOf("a", "b", "*", "*", "?", "[ab]", "[!b]", "[a-b]", "[!b-c]"))];
                return ($"{name} ~ \"{string.Concat(pattern)}\"", Fits(pattern, value), 2);
        }
    }

    private static bool Fits(ReadOnlySpan<string> pattern, string text)
    {
        if (pattern.Length == 0)
        {
            return text.Length == 0;
        }

        if (pattern[0] == "*")
        {
            return Fits(pattern[1..], text) || (text.Length > 0 && Fits(pattern, text[1..]));
        }

        string members = pattern[0] switch { "?" => "abc", "[ab]" or "[a-b]" => "ab", "[!b]" => "ac", "[!b-c]" => "a", string letter => letter };
        return text.Length > 0 && members.Contains(text[0]) && Fits(pattern[1..], text[1..]);
    }

    private static string Text(RandomWalk walk)
    {
        StringBuilder text = new();
        for (int length = 1 + walk.Below(6); length > 0; length--)
        {
            _ = text.Append(Letters[walk.Below(Letters.Length)]);
        }

        return text.ToString();
    }

    private static ulong Word(RandomWalk walk) => walk.Below(5) switch
    {
        0 => (ulong)walk.Below(4),
        1 => ulong.MaxValue - (ulong)walk.Below(4),
        2 => 1UL << walk.Below(64),
        3 => (1UL << walk.Below(64)) - 1,
        _ => (ulong)walk.Random.NextInt64(long.MinValue, long.MaxValue),
    };
}
