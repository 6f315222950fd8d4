using System.Text;
using System.Text.Json;

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
        if (json.IsEmpty)
        {
            return;
        }

        try
        {
            Utf8JsonReader reader = new(json);
            _ = reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                _ = reader.Read();
                long start = reader.TokenStartIndex;
                switch (reader.TokenType)
                {
                    case JsonTokenType.Number when reader.TryGetInt64(out long number):
                        _values.Add((true, number, null));
                        break;
                    case JsonTokenType.String:
                        _values.Add((false, 0, reader.GetString()));
                        break;
                    case JsonTokenType.Null:
                        _values.Add((false, 0, null));
                        break;
                    default:
                        reader.Skip();
                        _values.Add((false, 0, Encoding.UTF8.GetString(json[(int)start..(int)reader.BytesConsumed])));
                        break;
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // A database may hold anything: what was read so far is what there is.
        }
    }
}
