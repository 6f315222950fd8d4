using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>
/// Reads a CTF 1.8 trace as far as its metadata describes it (diamon.org/ctf): integers, enumerations, texts, structures, and
/// variants that a field before them chooses. All alignments are of one byte.
/// </summary>
internal sealed class PlainCtf
{
    private readonly Dictionary<string, (int Bytes, bool IsSigned, bool IsHex)> _integers = [];
    private readonly Dictionary<uint, (string Name, string? Context, string Fields)> _classes = [];
    private readonly string _eventContext;
    private readonly byte[] _stream;
    private int _at;

    private PlainCtf(string metadata, byte[] stream)
    {
        _stream = stream;
        foreach (Match alias in Regex.Matches(metadata, @"typealias integer \{ size = (\d+); align = 8; signed = (\w+);([^}]*)\} := (\w+);"))
        {
            _integers.Add(alias.Groups[4].Value, (int.Parse(alias.Groups[1].Value, null) / 8, alias.Groups[2].Value == "true", alias.Groups[3].Value.Contains("base = 16", StringComparison.Ordinal)));
        }

        _eventContext = Regex.Match(metadata, @"event\.context := struct \{(.*?)\n    \};", RegexOptions.Singleline).Groups[1].Value;
        foreach (Match found in Regex.Matches(
            metadata,
            @"^event \{\n    id = (\d+);\n    name = ""((?:[^""\\]|\\.)*)"";\n    stream_id = 0;\n(?:    context := struct \{([^\n]*)\};\n)?    fields := struct \{\n(.*?)    \};\n\};\n",
            RegexOptions.Singleline | RegexOptions.Multiline))
        {
            string name = Regex.Replace(found.Groups[2].Value, @"\\(.)", static m => m.Groups[1].Value == "n" ? "\n" : m.Groups[1].Value);
            _classes.Add(uint.Parse(found.Groups[1].Value, null), (name, found.Groups[3].Success ? found.Groups[3].Value : null, found.Groups[4].Value));
        }
    }

    /// <summary>The events of a trace's folder: time, name, and the fields of its contexts and its own as <c>name=value</c>.</summary>
    internal static List<string> Read(string folder)
    {
        PlainCtf trace = new(File.ReadAllText(Path.Combine(folder, "metadata")), File.ReadAllBytes(Path.Combine(folder, "stream_0")));
        List<string> events = [];
        while (trace._at < trace._stream.Length)
        {
            trace.ReadPacket(events);
        }

        return events;
    }

    private void ReadPacket(List<string> events)
    {
        int start = _at;
        Xunit.Assert.Equal((0xC1FC1FC1UL, 0UL), (Number(4), Number(4)));
        int content = (int)(Number(8) / 8);
        int size = (int)(Number(8) / 8);
        Xunit.Assert.InRange(content, 25, size);
        while (_at < start + content)
        {
            (string name, string? context, string fields) = _classes[(uint)Number(4)];
            ulong time = Number(8);
            List<string> values = Structure(_eventContext);
            values.AddRange(context is null ? [] : Structure(context));
            values.AddRange(Structure(fields));
            events.Add(string.Create(CultureInfo.InvariantCulture, $"{time} {name}: {string.Join(", ", values)}"));
        }

        Xunit.Assert.Equal(start + content, _at);
        _at = start + size;
    }

    private List<string> Structure(string text)
    {
        Dictionary<string, string> chosen = [];
        List<string> values = [];
        foreach (Match field in Regex.Matches(
            text, @"(?<type>\w+) (?<name>\w+);|enum : (?<of>\w+) \{(?<labels>[^}]*)\} (?<name>\w+);|variant <(?<tag>\w+)> \{(?<choices>(?:[^{}]|\{[^{}]*\})*)\} (?<name>\w+);"))
        {
            string name = field.Groups["name"].Value;
            Xunit.Assert.StartsWith("_", name, StringComparison.Ordinal);
            Xunit.Assert.DoesNotContain(values, v => v.StartsWith(name[1..] + "=", StringComparison.Ordinal));
            string value;
            if (field.Groups["labels"].Success)
            {
                ulong number = ulong.Parse(Value(field.Groups["of"].Value), CultureInfo.InvariantCulture);
                value = Regex.Matches(field.Groups["labels"].Value, @"""?(\w+)""? = (\d+)").Single(m => ulong.Parse(m.Groups[2].Value, null) == number).Groups[1].Value;
                chosen.Add(name, value);
            }
            else if (field.Groups["choices"].Success)
            {
                Match choice = Regex.Matches(field.Groups["choices"].Value, @"(?<type>struct \{ \}|\w+) (?<name>\w+);").Single(m => m.Groups["name"].Value == chosen[field.Groups["tag"].Value]);
                value = choice.Groups["type"].Value[^1] == '}' ? "{}" : Value(choice.Groups["type"].Value);
            }
            else
            {
                value = Value(field.Groups["type"].Value);
            }

            values.Add($"{name[1..]}={value}");
        }

        return values;
    }

    private string Value(string type)
    {
        if (type == "string")
        {
            int end = Array.IndexOf(_stream, (byte)0, _at);
            string text = Encoding.UTF8.GetString(_stream, _at, end - _at);
            _at = end + 1;
            return $"'{text}'";
        }

        (int bytes, bool isSigned, bool isHex) = _integers[type];
        ulong value = Number(bytes);
        return isHex ? $"0x{value:x}"
            : isSigned ? ((long)(value << (64 - (8 * bytes))) >> (64 - (8 * bytes))).ToString(CultureInfo.InvariantCulture)
            : value.ToString(CultureInfo.InvariantCulture);
    }

    private ulong Number(int bytes)
    {
        Span<byte> word = stackalloc byte[8];
        _stream.AsSpan(_at, bytes).CopyTo(word);
        _at += bytes;
        return BinaryPrimitives.ReadUInt64LittleEndian(word);
    }
}
