using System.Buffers.Text;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>Prints an event's arguments as ftrace does: <c> name=value</c> by the type of each.</summary>
/// <remarks>
/// The JSON it reads is what the import wrote: one flat object, arguments in order, names without escapes. A database
/// may still hold anything; what does not parse ends the line early and nothing else.
/// </remarks>
internal static class ArgumentText
{
    /// <summary>
    /// Bytes of JSON after which no further argument is printed, and of a text that are printed: many times what a kernel has room
    /// for in an event.
    /// </summary>
    private const int MaxPrinted = 1 << 15;

    internal static ArgumentStyle[] Styles(IReadOnlyList<TraceArgument> arguments) =>
        [.. arguments.Select(static a => StyleOf(a.Type))];

    internal static ArgumentStyle StyleOf(string type) => type switch
    {
        "" => ArgumentStyle.Hex,
        _ when type.StartsWith("symbol", StringComparison.Ordinal) => ArgumentStyle.Symbol,
        _ when type.StartsWith("string", StringComparison.Ordinal)
            || type.StartsWith("ustring", StringComparison.Ordinal)
            || type.StartsWith("symstr", StringComparison.Ordinal) => ArgumentStyle.Text,
        _ when type.StartsWith("char", StringComparison.Ordinal) => ArgumentStyle.Character,
        _ when type[0] is 's' => ArgumentStyle.Signed,
        _ when type[0] is 'u' or 'b' => ArgumentStyle.Unsigned,
        _ => ArgumentStyle.Hex,
    };

    internal static void Write(
        ReadOnlySpan<byte> json, ArgumentStyle[] styles, Utf8Output output, Action<ulong> writeSymbol)
    {
        int position = 1;
        for (int i = 0; position < json.Length && json[position] == (byte)'"'; i++)
        {
            int end = json[(position + 1)..].IndexOf((byte)'"');
            if (end < 0)
            {
                return;
            }

            output.WriteByte((byte)' ');
            if (position > MaxPrinted)
            {
                output.Write("…"u8);
                return;
            }

            output.WriteName(json.Slice(position + 1, end));
            output.WriteByte((byte)'=');
            position += end + 3;
            ArgumentStyle style = i < styles.Length ? styles[i] : ArgumentStyle.Hex;
            if (!Value(json, ref position, style, output, writeSymbol))
            {
                return;
            }

            // Skips the comma, or the brace that ends it all.
            position++;
        }
    }

    private static bool Value(
        ReadOnlySpan<byte> json, ref int position, ArgumentStyle style, Utf8Output output, Action<ulong> writeSymbol)
    {
        if (position >= json.Length)
        {
            return false;
        }

        byte first = json[position];
        if (first == (byte)'"')
        {
            return Text(json, ref position, output);
        }

        if (first == (byte)'[')
        {
            position++;
            output.WriteByte((byte)'{');
            while (position < json.Length && json[position] != (byte)']')
            {
                if (position > MaxPrinted)
                {
                    output.Write("…"u8);
                    return false;
                }

                if (json[position] == (byte)',')
                {
                    output.WriteByte((byte)',');
                    position++;
                }
                else if (!Value(json, ref position, style, output, writeSymbol))
                {
                    return false;
                }
            }

            position++;
            output.WriteByte((byte)'}');
            return true;
        }

        if (Utf8Parser.TryParse(json[position..], out long number, out int used))
        {
            position += used;
            if (position >= json.Length || json[position] is (byte)',' or (byte)'}' or (byte)']')
            {
                Number(number, style, output, writeSymbol);
                return true;
            }

            position -= used;
        }

        int end = json[position..].IndexOfAny(",}]"u8);
        if (end <= 0)
        {
            return false;
        }

        ReadOnlySpan<byte> word = json.Slice(position, end);
        output.Write(word.SequenceEqual("null"u8) ? "(fault)"u8 : word);
        position += end;
        return true;
    }

    private static void Number(long number, ArgumentStyle style, Utf8Output output, Action<ulong> writeSymbol)
    {
        switch (style)
        {
            case ArgumentStyle.Signed:
                output.WriteInteger(number);
                break;
            case ArgumentStyle.Unsigned:
                output.WriteUnsigned(unchecked((ulong)number));
                break;
            case ArgumentStyle.Symbol:
                writeSymbol(unchecked((ulong)number));
                break;
            case ArgumentStyle.Character:
                output.WriteByte((byte)'\'');
                output.WriteVisible([(byte)(number & 0x7F)]);
                output.WriteByte((byte)'\'');
                break;
            default:
                output.WriteHex(unchecked((ulong)number));
                break;
        }
    }

    /// <summary>A JSON string, its escapes left as they are: they are the ones a reader of the line needs too.</summary>
    private static bool Text(ReadOnlySpan<byte> json, ref int position, Utf8Output output)
    {
        int start = position++;
        while (position < json.Length && json[position] != (byte)'"')
        {
            position += json[position] == (byte)'\\' ? 2 : 1;
        }

        if (position >= json.Length)
        {
            return false;
        }

        position++;
        if (position - start <= MaxPrinted)
        {
            output.WriteVisible(json[start..position]);
            return true;
        }

        // Not within a character, nor between a backslash and what it is for.
        int end = start + MaxPrinted;
        while (end > start + 1 && ((json[end] & 0xC0) == 0x80 || json[end - 1] == (byte)'\\'))
        {
            end--;
        }

        output.WriteVisible(json[start..end]);
        output.Write("…\""u8);
        return true;
    }
}
