using System.Text;
using KprobeTrace.Queries;

namespace KprobeTrace.Export;

/// <summary>Writes rows as CSV (RFC 4180) with a header line. NULL is an empty field, bytes are hexadecimal.</summary>
public sealed class CsvRows : IRowSink
{
    private readonly Utf8Output _output;

    /// <summary>Writes to <paramref name="output"/>.</summary>
    public CsvRows(Utf8Output output) => _output = output;

    /// <inheritdoc/>
    public void Begin(IReadOnlyList<string> columns)
    {
        for (int i = 0; i < columns.Count; i++)
        {
            Separate(i);
            _output.WriteCsvField(Encoding.UTF8.GetBytes(columns[i]));
        }

        _output.Write("\r\n"u8);
    }

    /// <inheritdoc/>
    public void Row(QueryRow row)
    {
        int count = row.Names.Count;
        for (int i = 0; i < count; i++)
        {
            Separate(i);
            switch (row.GetKind(i))
            {
                case QueryValueKind.WholeNumber:
                    _output.WriteInteger(row.GetInteger(i));
                    break;
                case QueryValueKind.Null:
                    break;
                case QueryValueKind.Blob:
                    _output.WriteHexBytes(row.GetBlob(i));
                    break;
                default:
                    ReadOnlySpan<byte> text = row.GetUtf8(i);
                    if (text.IsEmpty)
                    {
                        // Tells an empty text from NULL.
                        _output.Write("\"\""u8);
                    }
                    else
                    {
                        _output.WriteCsvField(text);
                    }

                    break;
            }
        }

        _output.Write("\r\n"u8);
    }

    /// <inheritdoc/>
    public void Finish() => _output.Flush();

    private void Separate(int column)
    {
        if (column > 0)
        {
            _output.WriteByte((byte)',');
        }
    }
}
