using System.Buffers;
using KprobeTrace.Queries;

namespace KprobeTrace.Export;

/// <summary>Writes rows as ClickHouse's TabSeparated: backslash escapes, NULL as <c>\N</c>, no header.</summary>
/// <remarks>Bytes are hexadecimal digits. https://clickhouse.com/docs/interfaces/formats/TabSeparated.</remarks>
public sealed class TsvRows : IRowSink
{
    private static readonly SearchValues<byte> _special = SearchValues.Create("\t\n\\\r\0\b\f'"u8);

    private readonly Utf8Output _output;

    /// <summary>Writes to <paramref name="output"/>.</summary>
    public TsvRows(Utf8Output output) => _output = output;

    /// <inheritdoc/>
    public void Begin(IReadOnlyList<string> columns)
    {
    }

    /// <inheritdoc/>
    public void Row(QueryRow row)
    {
        int count = row.Names.Count;
        for (int i = 0; i < count; i++)
        {
            if (i > 0)
            {
                _output.WriteByte((byte)'\t');
            }

            switch (row.GetKind(i))
            {
                case QueryValueKind.WholeNumber:
                    _output.WriteInteger(row.GetInteger(i));
                    break;
                case QueryValueKind.Real:
                    _output.WriteDouble(row.GetReal(i));
                    break;
                case QueryValueKind.Null:
                    _output.Write("\\N"u8);
                    break;
                case QueryValueKind.Blob:
                    _output.WriteHexBytes(row.GetBlob(i));
                    break;
                default:
                    WriteText(row.GetUtf8(i));
                    break;
            }
        }

        _output.WriteByte((byte)'\n');
    }

    /// <inheritdoc/>
    public void Finish() => _output.Flush();

    private void WriteText(ReadOnlySpan<byte> text)
    {
        int special;
        while ((special = text.IndexOfAny(_special)) >= 0)
        {
            _output.Write(text[..special]);
            _output.WriteByte((byte)'\\');
            _output.WriteByte(text[special] switch
            {
                (byte)'\t' => (byte)'t',
                (byte)'\n' => (byte)'n',
                (byte)'\r' => (byte)'r',
                (byte)'\b' => (byte)'b',
                (byte)'\f' => (byte)'f',
                0 => (byte)'0',
                _ => text[special],
            });
            text = text[(special + 1)..];
        }

        _output.Write(text);
    }
}
