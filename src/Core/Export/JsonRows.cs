using System.Text;
using KprobeTrace.Queries;

namespace KprobeTrace.Export;

/// <summary>Writes rows as JSON objects: one array of them, or one a line.</summary>
/// <remarks>Bytes are a string of hexadecimal digits; a column called <c>args</c> that holds an object stays one.</remarks>
public sealed class JsonRows : IRowSink
{
    private readonly Utf8Output _output;
    private readonly bool _lines;
    private byte[][] _keys = [];
    private bool[] _isJson = [];
    private bool _any;

    /// <summary>Writes to <paramref name="output"/>; one object a line when <paramref name="lines"/> is set.</summary>
    public JsonRows(Utf8Output output, bool lines)
    {
        _output = output;
        _lines = lines;
    }

    /// <inheritdoc/>
    public void Begin(IReadOnlyList<string> columns)
    {
        _keys = new byte[columns.Count][];
        _isJson = new bool[columns.Count];
        HashSet<string> taken = [];
        for (int i = 0; i < columns.Count; i++)
        {
            string name = columns[i];
            for (int n = 2; !taken.Add(name); n++)
            {
                name = columns[i] + "_" + n;
            }

            using MemoryStream key = new();
            using (Utf8Output text = new(key, leaveOpen: true))
            {
                text.WriteJsonString(Encoding.UTF8.GetBytes(name));
            }

            _keys[i] = key.ToArray();
            _isJson[i] = name == "args";
        }

        if (!_lines)
        {
            _output.WriteByte((byte)'[');
        }
    }

    /// <inheritdoc/>
    public void Row(QueryRow row)
    {
        if (!_lines)
        {
            _output.Write(_any ? ",\n"u8 : "\n"u8);
        }

        _any = true;
        _output.WriteByte((byte)'{');
        for (int i = 0; i < _keys.Length; i++)
        {
            if (i > 0)
            {
                _output.WriteByte((byte)',');
            }

            _output.Write(_keys[i]);
            _output.WriteByte((byte)':');
            Value(row, i);
        }

        _output.WriteByte((byte)'}');
        if (_lines)
        {
            _output.WriteByte((byte)'\n');
        }
    }

    /// <inheritdoc/>
    public void Finish()
    {
        if (!_lines)
        {
            _output.Write(_any ? "\n]\n"u8 : "]\n"u8);
        }

        _output.Flush();
    }

    private void Value(QueryRow row, int column)
    {
        switch (row.GetKind(column))
        {
            case QueryValueKind.WholeNumber:
                _output.WriteInteger(row.GetInteger(column));
                break;
            case QueryValueKind.Real when double.IsFinite(row.GetReal(column)):
                _output.WriteDouble(row.GetReal(column));
                break;
            case QueryValueKind.Text:
                ReadOnlySpan<byte> text = row.GetUtf8(column);
                if (_isJson[column] && IsObject(text))
                {
                    _output.Write(text);
                }
                else
                {
                    _output.WriteJsonString(text);
                }

                break;
            case QueryValueKind.Blob:
                _output.WriteByte((byte)'"');
                _output.WriteHexBytes(row.GetBlob(column));
                _output.WriteByte((byte)'"');
                break;
            default:
                _output.Write("null"u8);
                break;
        }
    }

    /// <summary>A user may call any column args; what goes out unquoted must parse.</summary>
    private static bool IsObject(ReadOnlySpan<byte> text)
    {
        if (text.Length < 2 || text[0] != '{' || text[^1] != '}')
        {
            return false;
        }

        try
        {
            System.Text.Json.Utf8JsonReader reader = new(text);
            while (reader.Read())
            {
            }

            return true;
        }
        catch (System.Text.Json.JsonException)
        {
            return false;
        }
    }
}
