using System.Globalization;
using System.Text;
using KprobeTrace.Queries;

namespace KprobeTrace.Export;

/// <summary>Writes rows as an aligned text table, or as a Markdown table.</summary>
/// <remarks>
/// Widths come from the first <see cref="Lookahead"/> rows; the rows after them stream through. Numbers stand right.
/// A width limit cuts long texts with <c>…</c> so that lines fit the terminal; where that is not enough, rows are written
/// below each other, a line for each column.
/// </remarks>
public sealed class TableRows : IRowSink
{
    /// <summary>Rows that are looked at before the first is written.</summary>
    public const int Lookahead = 1000;

    /// <summary>Characters that are looked at before the first row is written, however few rows they are.</summary>
    private const long LookaheadCharacters = 4 << 20;

    private readonly Utf8Output _output;
    private readonly bool _markdown;
    private readonly int _maxWidth;
    private readonly Func<string, string>? _emphasize;
    private readonly List<string[]> _pending = [];
    private string[] _columns = [];
    private int[] _widths = [];
    private bool[] _right = [];
    private bool _started;
    private bool _upright;
    private long _rows;
    private long _characters;

    /// <summary>Writes to <paramref name="output"/>.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="markdown">True for Markdown.</param>
    /// <param name="maxWidth">Longest line, 0 for no limit.</param>
    /// <param name="emphasize">Marks a heading, with colours say.</param>
    public TableRows(Utf8Output output, bool markdown = false, int maxWidth = 0, Func<string, string>? emphasize = null)
    {
        _output = output;
        _markdown = markdown;
        _maxWidth = maxWidth;
        _emphasize = emphasize;
    }

    /// <inheritdoc/>
    public void Begin(IReadOnlyList<string> columns)
    {
        _columns = [.. columns.Select(c => Visible(Encoding.UTF8.GetBytes(c)))];
        _right = new bool[_columns.Length];
        Array.Fill(_right, true);
    }

    /// <inheritdoc/>
    public void Row(QueryRow row)
    {
        string[] cells = new string[_columns.Length];
        for (int i = 0; i < cells.Length; i++)
        {
            QueryValueKind kind = row.GetKind(i);
            cells[i] = kind switch
            {
                QueryValueKind.Null => "",
                QueryValueKind.WholeNumber => row.GetInteger(i).ToString(CultureInfo.InvariantCulture),
                QueryValueKind.Real => Real(row.GetReal(i)),
                QueryValueKind.Blob => Convert.ToHexStringLower(row.GetBlob(i)),
                _ => Visible(row.GetUtf8(i)),
            };
            if (!_started && kind is QueryValueKind.Text or QueryValueKind.Blob)
            {
                _right[i] = false;
            }
        }

        Add(cells);
    }

    /// <summary>Adds a row of texts that are ready to print.</summary>
    public void Add(string[] cells)
    {
        if (_started)
        {
            if (_upright)
            {
                WriteUpright(cells);
            }
            else
            {
                Write(cells);
            }

            return;
        }

        _pending.Add(cells);
        foreach (string cell in cells)
        {
            _characters += cell.Length;
        }

        if (_pending.Count == Lookahead || _characters > LookaheadCharacters)
        {
            Start();
        }
    }

    /// <summary>Says which columns stand left; all others stand right.</summary>
    public void AlignLeft(params ReadOnlySpan<int> columns)
    {
        foreach (int column in columns)
        {
            _right[column] = false;
        }
    }

    /// <inheritdoc/>
    public void Finish()
    {
        if (!_started)
        {
            Start();
        }

        _output.Flush();
    }

    private static string Real(double value) =>
        Math.Abs(value) is >= 1e15 or < 1e-4
            ? value.ToString("G6", CultureInfo.InvariantCulture)
            : value.ToString("0.######", CultureInfo.InvariantCulture);

    private static string Visible(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IndexOfAnyInRange((byte)0, (byte)0x1F) < 0 && utf8.IndexOfAny((byte)0x7F, (byte)0xC2) < 0)
        {
            return Encoding.UTF8.GetString(utf8);
        }

        using MemoryStream stream = new();
        using (Utf8Output text = new(stream, leaveOpen: true))
        {
            text.WriteVisible(utf8);
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private void Start()
    {
        _started = true;
        _widths = [.. _columns.Select(static c => c.Length)];
        foreach (string[] cells in _pending)
        {
            for (int i = 0; i < cells.Length; i++)
            {
                _widths[i] = Math.Max(_widths[i], cells[i].Length);
            }
        }

        _upright = !Narrow();
        if (_upright)
        {
            _pending.ForEach(WriteUpright);
            _pending.Clear();
            return;
        }

        Write(_columns, header: true);
        if (_markdown)
        {
            Rule();
        }

        foreach (string[] cells in _pending)
        {
            Write(cells);
        }

        _pending.Clear();
    }

    /// <summary>Takes from the widest text columns until the line fits; false where it cannot.</summary>
    private bool Narrow()
    {
        if (_maxWidth <= 0 || _markdown || _columns.Length == 0)
        {
            return true;
        }

        int excess = _widths.Sum() + (2 * (_columns.Length - 1)) - _maxWidth;
        while (excess > 0)
        {
            int widest = -1;
            int second = 8;
            for (int i = 0; i < _widths.Length; i++)
            {
                if (!_right[i] && _widths[i] > 8 && (widest < 0 || _widths[i] > _widths[widest]))
                {
                    second = widest < 0 ? 8 : Math.Max(second, _widths[widest]);
                    widest = i;
                }
                else if (!_right[i])
                {
                    second = Math.Max(second, _widths[i]);
                }
            }

            if (widest < 0)
            {
                return false;
            }

            int cut = Math.Clamp(_widths[widest] - second, 1, excess);
            _widths[widest] -= cut;
            excess -= cut;
        }

        return true;
    }

    /// <summary>One row as lines of column and value; long values go on below themselves.</summary>
    private void WriteUpright(string[] cells)
    {
        string title = string.Create(CultureInfo.InvariantCulture, $"row {++_rows}");
        _output.Write((_emphasize is null ? title : _emphasize(title)) + "\n");
        int names = Math.Min(_columns.Max(static c => c.Length), Math.Max(1, _maxWidth / 2));
        int room = Math.Max(1, _maxWidth - names - 4);
        for (int i = 0; i < cells.Length; i++)
        {
            string name = _columns[i].Length > names ? _columns[i][..names] : _columns[i];
            string cell = cells[i];
            for (int at = 0; at == 0 || at < cell.Length; at += room)
            {
                string line = $"  {(at == 0 ? name : "").PadRight(names)}  {cell.AsSpan(at, Math.Min(room, cell.Length - at))}";
                _output.Write(line.TrimEnd() + "\n");
            }
        }
    }

    private void Rule()
    {
        _output.WriteByte((byte)'|');
        for (int i = 0; i < _columns.Length; i++)
        {
            _output.Write(new string('-', Math.Max(3, _widths[i] + 1)));
            _output.Write(_right[i] ? ":|"u8 : "-|"u8);
        }

        _output.WriteByte((byte)'\n');
    }

    private void Write(string[] cells, bool header = false)
    {
        StringBuilder line = new();
        for (int i = 0; i < cells.Length; i++)
        {
            string cell = cells[i];
            if (_markdown)
            {
                cell = cell.Replace("\\", "\\\\", StringComparison.Ordinal)
                    .Replace("|", "\\|", StringComparison.Ordinal)
                    .Replace("<", "&lt;", StringComparison.Ordinal);
                _ = line.Append(i == 0 ? "| " : " | ");
            }
            else if (i > 0)
            {
                _ = line.Append("  ");
            }

            int width = _widths[i];
            if (cell.Length > width && !_markdown && _maxWidth > 0 && !_right[i])
            {
                cell = string.Concat(cell.AsSpan(0, Math.Max(0, width - 1)), "…");
            }

            _ = _right[i] ? line.Append(cell.PadLeft(width)) : line.Append(cell.PadRight(width));
        }

        if (_markdown)
        {
            _output.Write(line.Append(" |\n").ToString());
            return;
        }

        string text = line.ToString().TrimEnd();
        _output.Write(header && _emphasize is not null ? _emphasize(text) : text);
        _output.WriteByte((byte)'\n');
    }
}
