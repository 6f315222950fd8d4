using KprobeTrace.Store.BTree;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Store;

/// <summary>The trees of a new database that are filled page by page.</summary>
internal sealed class Loaders : IDisposable
{
    internal Loaders(string path)
    {
        Dictionary<string, uint> roots = [];
        using (SqliteDatabase database = SqliteDatabase.Open(path))
        using (SqliteStatement statement = database.Prepare("SELECT name, rootpage FROM sqlite_schema"))
        {
            while (statement.Step())
            {
                roots[statement.Text(0)] = (uint)statement.Int64(1);
            }
        }

        File = new PageAppender(path);
        Events = new IndexLoader(File, roots["kt_event"]);
        EventsByProbe = new IndexLoader(File, roots["kt_event_probe"]);
        EventsByTime = new IndexLoader(File, roots["kt_event_time"]);
        Registers = new IndexLoader(File, roots["kt_reg"]);
        Kept = new TableLoader(File, roots["kt_kept"]);
        Faults = new IndexLoader(File, roots["kt_fault"]);
        Calls = new IndexLoader(File, roots["kt_call"]);
        Frames = new IndexLoader(File, roots["kt_frame"]);
        Comms = new TableLoader(File, roots["kt_comm"]);
        Places = new TableLoader(File, roots["kt_place"]);
        Symbols = new TableLoader(File, roots["kt_symbol"]);
        Lines = new TableLoader(File, roots["kt_line"]);
        Pokes = new TableLoader(File, roots["kt_poke"]);
        Notes = new TableLoader(File, roots["kt_note"]);
    }

    internal PageAppender File { get; }

    internal IndexLoader Events { get; }

    internal IndexLoader EventsByProbe { get; }

    internal IndexLoader EventsByTime { get; }

    internal IndexLoader Registers { get; }

    internal TableLoader Kept { get; }

    internal IndexLoader Faults { get; }

    internal IndexLoader Calls { get; }

    internal IndexLoader Frames { get; }

    internal TableLoader Comms { get; }

    internal TableLoader Places { get; }

    internal TableLoader Symbols { get; }

    internal TableLoader Lines { get; }

    internal TableLoader Pokes { get; }

    internal TableLoader Notes { get; }

    /// <summary>Completes every tree and the file.</summary>
    internal void Finish()
    {
        TreeLoader[] all =
        [
            Events, EventsByProbe, EventsByTime, Registers, Kept, Faults, Calls, Frames, Comms, Places, Symbols, Lines,
            Pokes, Notes,
        ];
        foreach (TreeLoader loader in all)
        {
            loader.Finish();
        }

        File.Complete();
    }

    /// <inheritdoc/>
    public void Dispose() => File.Dispose();
}
