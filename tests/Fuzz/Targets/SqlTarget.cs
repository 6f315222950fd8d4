using System.IO.Hashing;
using System.Text;
using KprobeTrace.Bench;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Queries;
using KprobeTrace.Store;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>SQL text against a history, which must stay as it is, as must the folder around it.</summary>
internal sealed class SqlTarget : IFuzzTarget
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    private readonly string _folder = WorkFolder.Create();
    private readonly string _database;
    private readonly TraceHistory _history;
    private readonly ulong _hash;

    public SqlTarget()
    {
        string trace = Path.Combine(_folder, "t.mpk");
        SyntheticTrace.Write(trace, 2000, seed: 5, eventsPerChunk: 200);
        _database = trace + ".db";
        TraceHistory.Open(trace).Dispose();
        _history = TraceHistory.OpenDatabase(_database);
        _hash = XxHash3.HashToUInt64(File.ReadAllBytes(_database));
    }

    public string Name => "sql";

    public string Summary => "SQL: every function with odd arguments, every way to write, against a history that must stay as it is";

    public byte[] Generate(FuzzRandom random) => Encoding.UTF8.GetBytes(SqlText.Generate(random));

    public void Run(byte[] input)
    {
        // Here and not at the beginning: whoever only makes inputs stays where it is.
        Directory.SetCurrentDirectory(_folder);
        string sql = Encoding.UTF8.GetString(input);
        using CancellationTokenSource patience = new(_patience);
        CountingSink sink = new(patience);
        try
        {
            SqlQuery.Run(_history, sql, sink, patience.Token);
        }
        catch (OperationCanceledException)
        {
            // Took too long, or gave too many rows.
        }
        finally
        {
            string[] files = [.. Directory.EnumerateFileSystemEntries(_folder).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
            InvariantException.Require(files is ["t.mpk", "t.mpk.db"], "files appeared: " + string.Join(' ', files));
            InvariantException.Require(XxHash3.HashToUInt64(File.ReadAllBytes(_database)) == _hash, "the database was changed");
        }
    }
}
