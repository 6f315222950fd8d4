using System.Text;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>A message in the text form that protoc prints.</summary>
internal sealed class TextProto
{
    private readonly List<(string Name, string Value)> _values = [];
    private readonly List<(string Name, TextProto Message)> _messages = [];

    /// <summary>The messages of a field.</summary>
    internal IEnumerable<TextProto> All(string name) => _messages.Where(m => m.Name == name).Select(static m => m.Message);

    /// <summary>The message of a field, null where there is none.</summary>
    internal TextProto? One(string name) => All(name).SingleOrDefault();

    /// <summary>The value of a field, null where it is not there; of a text without its quotes.</summary>
    internal string? Value(string name)
    {
        string? value = _values.SingleOrDefault(v => v.Name == name).Value;
        return value is ['"', ..] ? Text(value[1..^1]) : value;
    }

    /// <summary>The names of all fields, as numbers where the schema does not know them.</summary>
    internal IEnumerable<string> Names => _values.Select(static v => v.Name).Concat(_messages.Select(static m => m.Name))
        .Concat(_messages.SelectMany(static m => m.Message.Names));

    /// <summary>Parses what protoc printed.</summary>
    internal static TextProto Parse(string text)
    {
        Stack<TextProto> open = new([new TextProto()]);
        foreach (string line in text.Split('\n').Select(static l => l.Trim()).Where(static l => l.Length > 0))
        {
            if (line == "}")
            {
                _ = open.Pop();
            }
            else if (line.EndsWith(" {", StringComparison.Ordinal))
            {
                TextProto message = new();
                open.Peek()._messages.Add((line[..^2], message));
                open.Push(message);
            }
            else
            {
                string[] parts = line.Split(": ", 2);
                open.Peek()._values.Add((parts[0], parts[1]));
            }
        }

        return open.Single();
    }

    /// <summary>Escapes are those of C, bytes in octal.</summary>
    private static string Text(string escaped)
    {
        List<byte> bytes = [];
        for (int at = 0; at < escaped.Length; at++)
        {
            if (escaped[at] != '\\')
            {
                bytes.Add((byte)escaped[at]);
                continue;
            }

            char c = escaped[++at];
            if (char.IsAsciiDigit(c))
            {
                bytes.Add(Convert.ToByte(escaped.Substring(at, 3), 8));
                at += 2;
            }
            else
            {
                bytes.Add((byte)(c switch { 'n' => '\n', 't' => '\t', 'r' => '\r', _ => c }));
            }
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }
}
