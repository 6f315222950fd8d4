using System.Text;
using KprobeTrace.Store.BTree;
using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <content>Everything of a trace that is not an event.</content>
internal sealed partial class TraceImporter
{
    private void AddSymbols()
    {
        foreach (TraceSymbol symbol in _trace.Symbols)
        {
            _symbols.Add(in symbol);
            Start();
            _record.Integer(symbol.Address);
            _record.Integer(symbol.Size);
            _record.Text(Encoding.UTF8.GetBytes(symbol.Name));
            _record.Text(Encoding.UTF8.GetBytes(symbol.Module));
            _record.Text(Encoding.UTF8.GetBytes([symbol.Kind]));
            AddTo(_loaders.Symbols);
        }
    }

    private void AddConsole()
    {
        foreach (TraceConsoleLine line in _trace.ConsoleLines)
        {
            Start(line.TimeNs, line.Instructions);
            ReadOnlySpan<byte> text = line.Line.Span;
            _record.Text(System.Text.Unicode.Utf8.IsValid(text)
                ? text
                : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text)));
            AddTo(_loaders.Lines);
        }
    }

    private void AddTextPokes()
    {
        foreach (TraceTextPoke poke in _trace.TextPokes)
        {
            Start(poke.TimeNs, poke.Instructions);
            _record.Integer(poke.Address);
            _record.Blob(poke.Old.Span);
            _record.Blob(poke.New.Span);
            _record.Text(Encoding.UTF8.GetBytes(poke.Reason));
            AddTo(_loaders.Pokes);
        }
    }

    private void AddNotes()
    {
        foreach (TraceNote note in _trace.Notes)
        {
            Start(note.TimeNs, note.Instructions);
            _record.Text(note.Kind switch
            {
                TraceNoteKind.Miss => "miss"u8,
                TraceNoteKind.Limit => "limit"u8,
                TraceNoteKind.Refusal => "refusal"u8,
                TraceNoteKind.ProbeState => "probe-state"u8,
                _ => "remark"u8,
            });
            IntegerUnless(note.ProbeId < 0, (ulong)note.ProbeId);
            _record.Integer(note.Count);
            _record.Text(Encoding.UTF8.GetBytes(note.Text));
            AddTo(_loaders.Notes);
        }
    }

    private void Start()
    {
        _record.Begin();
        _record.Integer(_run);
    }

    private void Start(ulong timeNs, ulong instructions)
    {
        Start();
        _record.Integer(timeNs);
        _record.Integer(instructions);
    }

    private void AddTo(TableLoader table) => table.Add(table.Rows + 1, _record.End());
}
