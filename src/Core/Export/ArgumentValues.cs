using System.Text;
using System.Text.Json;
using KprobeTrace.Queries;

namespace KprobeTrace.Export;

/// <summary>Takes the values of an event's arguments out of their JSON text, in order.</summary>
internal sealed class ArgumentValues
{
    private readonly List<(bool IsNumber, long Number, string? Text)> _values = [];

    internal int Count => _values.Count;

    /// <summary>True where value <paramref name="index"/> could not be read.</summary>
    internal bool IsNull(int index) => index >= _values.Count || (!_values[index].IsNumber && _values[index].Text is null);

    /// <summary>Value <paramref name="index"/> as a number; null for what is none.</summary>
    internal long? Number(int index) => index < _values.Count && _values[index].IsNumber ? _values[index].Number : null;

    /// <summary>Value <paramref name="index"/> as text; null where it could not be read.</summary>
    internal string? Text(int index) => index >= _values.Count
        ? null
        : _values[index].IsNumber
            ? _values[index].Number.ToString(System.Globalization.CultureInfo.InvariantCulture)
            : _values[index].Text;

    /// <summary>Reads one event's arguments.</summary>
    internal void Read(ReadOnlySpan<byte> json)
    {
        _values.Clear();
        ArgumentReader reader = new(json);
        while (reader.NextName(out _) && TryRead(ref reader))
        {
            reader.NextValue();
        }
    }

    private bool TryRead(ref ArgumentReader reader)
    {
        ArgumentReader start = reader;
        switch (reader.Read())
        {
            case ArgumentToken.Number:
                _values.Add((true, reader.Number, null));
                return true;
            case ArgumentToken.Text when TryPlain(reader.Raw, out string text):
                _values.Add((false, 0, text));
                return true;
            case ArgumentToken.Null:
                _values.Add((false, 0, null));
                return true;
            case ArgumentToken.None or ArgumentToken.Text:
                return false;
            default:
                reader = start;
                if (!reader.Skip())
                {
                    return false;
                }

                _values.Add((false, 0, Encoding.UTF8.GetString(reader.Raw)));
                return true;
        }
    }

    /// <summary>A text without its quotes and escapes; false where an escape is none of JSON's.</summary>
    private static bool TryPlain(ReadOnlySpan<byte> quoted, out string text)
    {
        text = "";
        if (!quoted.Contains((byte)'\\'))
        {
            text = Encoding.UTF8.GetString(quoted[1..^1]);
            return true;
        }

        try
        {
            Utf8JsonReader reader = new(quoted);
            _ = reader.Read();
            text = reader.GetString()!;
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // A database may hold anything.
            return false;
        }
    }
}
