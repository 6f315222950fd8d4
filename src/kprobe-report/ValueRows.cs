using System.Globalization;
using System.Text;
using System.Text.Json;
using KprobeTrace.Export;
using KprobeTrace.Queries;

namespace KprobeTrace.Report;

/// <summary>Prints rows that a verb computed itself, in any of the formats of <c>query</c>.</summary>
internal sealed class ValueRows
{
    private readonly string _format;
    private readonly Utf8Output _output;
    private readonly TableRows? _table;
    private IReadOnlyList<string> _columns = [];
    private bool _any;

    internal ValueRows(string format, Utf8Output output, ReportConsole console)
    {
        _format = format;
        _output = output;
        _table = format switch
        {
            "table" => new TableRows(output, maxWidth: console.Width, emphasize: console.Bold),
            "md" => new TableRows(output, markdown: true),
            _ => null,
        };
    }

    internal void Begin(IReadOnlyList<string> columns)
    {
        _columns = columns;
        _table?.Begin(columns);
        if (_format == "csv")
        {
            _output.Write(string.Join(',', columns) + "\r\n");
        }
        else if (_format == "json")
        {
            _output.Write("["u8);
        }
    }

    /// <summary>Adds a row of texts and numbers; null stands for what is not known.</summary>
    internal void Add(params object?[] values)
    {
        if (_table is not null)
        {
            _table.Add([.. values.Select(Text)]);
        }
        else if (_format == "csv")
        {
            for (int i = 0; i < values.Length; i++)
            {
                if (i > 0)
                {
                    _output.WriteByte((byte)',');
                }

                _output.WriteCsvField(Encoding.UTF8.GetBytes(Raw(values[i])));
            }

            _output.Write("\r\n"u8);
        }
        else
        {
            _output.Write(_format == "json" ? _any ? ",\n"u8 : "\n"u8 : ""u8);
            _any = true;
            for (int i = 0; i < values.Length; i++)
            {
                _output.Write(i == 0 ? "{"u8 : ","u8);
                _output.Write(JsonSerializer.Serialize(_columns[i]));
                _output.WriteByte((byte)':');
                _output.Write(JsonSerializer.Serialize(values[i]));
            }

            _output.Write(_format == "json" ? "}"u8 : "}\n"u8);
        }
    }

    internal void AlignLeft(params ReadOnlySpan<int> columns) => _table?.AlignLeft(columns);

    internal void Finish()
    {
        if (_format == "json")
        {
            _output.Write(_any ? "\n]\n"u8 : "]\n"u8);
        }

        _table?.Finish();
        _output.Flush();
    }

    private static string Raw(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

    /// <summary>Control characters would move the cursor of a terminal.</summary>
    private static string Text(object? value)
    {
        string text = Raw(value);
        if (!text.Any(char.IsControl))
        {
            return text;
        }

        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            output.WriteVisible(Encoding.UTF8.GetBytes(text));
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
