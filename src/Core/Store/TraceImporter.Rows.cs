using System.Text;
using KprobeTrace.Store.BTree;
using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <content>Everything of a trace that is not an event.</content>
internal sealed partial class TraceImporter
{
    private readonly TableRow _symbolRow = new(HistoryTables.Symbol);
    private readonly TableRow _lineRow = new(HistoryTables.Line);
    private readonly TableRow _pokeRow = new(HistoryTables.Poke);
    private readonly TableRow _noteRow = new(HistoryTables.Note);

    private void AddSymbols()
    {
        foreach (TraceSymbol symbol in _trace.Symbols)
        {
            _symbols.Add(in symbol);
            _ = _symbolRow.Set("run", _run)
                .Set("address", symbol.Address)
                .Set("size", symbol.Size)
                .Set("name", Encoding.UTF8.GetBytes(symbol.Name))
                .Set("module", Encoding.UTF8.GetBytes(symbol.Module))
                .Set("kind", Encoding.UTF8.GetBytes([symbol.Kind]));
            Add(_symbolRow, _loaders.Symbols);
        }
    }

    private void AddConsole()
    {
        foreach (TraceConsoleLine line in _trace.ConsoleLines)
        {
            ReadOnlySpan<byte> text = line.Line.Span;
            _ = Begin(_lineRow, line.TimeNs, line.Instructions).Set("line", System.Text.Unicode.Utf8.IsValid(text)
                ? text
                : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text)));
            Add(_lineRow, _loaders.Lines);
        }
    }

    private void AddTextPokes()
    {
        foreach (TraceTextPoke poke in _trace.TextPokes)
        {
            _ = Begin(_pokeRow, poke.TimeNs, poke.Instructions)
                .Set("address", poke.Address)
                .Set("old", poke.Old.Span)
                .Set("new", poke.New.Span)
                .Set("reason", Encoding.UTF8.GetBytes(poke.Reason));
            Add(_pokeRow, _loaders.Pokes);
        }
    }

    private void AddNotes()
    {
        foreach (TraceNote note in _trace.Notes)
        {
            _ = Begin(_noteRow, note.TimeNs, note.Instructions)
                .Set("kind", note.Kind switch
                {
                    TraceNoteKind.Miss => "miss"u8,
                    TraceNoteKind.Limit => "limit"u8,
                    TraceNoteKind.Refusal => "refusal"u8,
                    TraceNoteKind.ProbeState => "probe-state"u8,
                    _ => "remark"u8,
                })
                .Set("probe", note.ProbeId < 0 ? null : note.ProbeId)
                .Set("count", note.Count)
                .Set("text", Encoding.UTF8.GetBytes(note.Text));
            Add(_noteRow, _loaders.Notes);
        }
    }

    private TableRow Begin(TableRow row, ulong timeNs, ulong instructions) =>
        row.Set("run", _run).Set("time_ns", timeNs).Set("insn", instructions);

    private static void Add(TableRow row, TableLoader table) => table.Add(table.Rows + 1, row.End());
}
