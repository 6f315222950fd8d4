using System.Text;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>Prints an event's arguments as ftrace does: <c> name=value</c> by the type of each.</summary>
/// <remarks>What does not parse ends the line early and nothing else.</remarks>
internal static class ArgumentText
{
    /// <summary>
    /// Bytes of JSON after which no further argument is printed, and of a text that are printed: many times what a kernel has room
    /// for in an event.
    /// </summary>
    private const int MaxPrinted = 1 << 15;

    /// <summary>Stands for what could not be read.</summary>
    private const string Fault = "(fault)";

    internal static void Write(
        ReadOnlySpan<byte> json, IReadOnlyList<TraceArgument> arguments, Utf8Output output, Action<ulong> writeSymbol)
    {
        ArgumentReader reader = new(json);
        for (int i = 0; reader.Position is var start && reader.NextName(out ReadOnlySpan<byte> name); i++)
        {
            output.WriteByte((byte)' ');
            if (start > MaxPrinted)
            {
                output.Write("…"u8);
                return;
            }

            output.WriteName(name);
            output.WriteByte((byte)'=');
            ArgumentStyle style = i < arguments.Count ? arguments[i].Kind.Style : ArgumentStyle.Hex;
            if (!Value(ref reader, style, output, writeSymbol))
            {
                return;
            }

            reader.NextValue();
        }
    }

    /// <summary>A value by itself as a difference shows it: numbers that are not hexadecimal in decimal, texts and arrays as JSON.</summary>
    internal static string Plain(string json, ArgumentKind kind)
    {
        ArgumentReader reader = new(Encoding.UTF8.GetBytes("{" + json + "}"));
        return reader.Read() switch
        {
            ArgumentToken.Null => Fault,
            ArgumentToken.Number => kind.Style switch
            {
                ArgumentStyle.Hex or ArgumentStyle.Symbol => $"0x{reader.Number:x}",
                ArgumentStyle.Unsigned => $"{(ulong)reader.Number}",
                _ => json,
            },
            _ => json,
        };
    }

    private static bool Value(ref ArgumentReader reader, ArgumentStyle style, Utf8Output output, Action<ulong> writeSymbol)
    {
        switch (reader.Read())
        {
            case ArgumentToken.Number:
                Number(reader.Number, style, output, writeSymbol);
                return true;
            case ArgumentToken.Text:
                Text(reader.Raw, output);
                return true;
            case ArgumentToken.Null:
                output.Write(Fault);
                return true;
            case ArgumentToken.Word:
                output.Write(reader.Raw);
                return true;
            case ArgumentToken.ArrayStart:
                return Elements(ref reader, style, output, writeSymbol);
            default:
                return false;
        }
    }

    private static bool Elements(ref ArgumentReader reader, ArgumentStyle style, Utf8Output output, Action<ulong> writeSymbol)
    {
        output.WriteByte((byte)'{');
        while (!reader.AtEndOfArray())
        {
            if (reader.Position > MaxPrinted)
            {
                output.Write("…"u8);
                return false;
            }

            if (reader.AtComma())
            {
                output.WriteByte((byte)',');
            }
            else if (!Value(ref reader, style, output, writeSymbol))
            {
                return false;
            }
        }

        output.WriteByte((byte)'}');
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
    private static void Text(ReadOnlySpan<byte> text, Utf8Output output)
    {
        if (text.Length <= MaxPrinted)
        {
            output.WriteVisible(text);
            return;
        }

        // Not within a character, nor between a backslash and what it is for.
        int end = MaxPrinted;
        while (end > 1 && ((text[end] & 0xC0) == 0x80 || text[end - 1] == (byte)'\\'))
        {
            end--;
        }

        output.WriteVisible(text[..end]);
        output.Write("…\""u8);
    }
}
