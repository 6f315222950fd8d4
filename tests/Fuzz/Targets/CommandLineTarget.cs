using System.Text;
using KprobeTrace.Bench;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Record;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Command lines of both tools: the tool's name and its arguments, one a line, in a folder with a trace, an image and rubbish.</summary>
internal sealed class CommandLineTarget : IFuzzTarget
{
    private static readonly string[] _recordWords =
    [
        "-p", "--probe", "p:x start_kernel", "p sys_write", "r sys_read ret=$retval", "--probe-file", "probes", "--filter", "x: a==1", "-o", "--output", "out.mpk", "--console", "none", "stdout",
        "-m", "--memory", "64M", "1K", "3G", "99999999999T", "-1", "0", "--append", "--initrd", "junk", "--symbols", "demo.elf", "--kinds", "pre,post,ret,fault", "pre", "none", "-q", "-v", "--dry-run", "--list",
        "--list-probes", "--list-blacklist", "--count-only", "--json", "--load", "0x100000", "0x7c00", "--entry", "--mode", "16", "32", "64", "--max-events", "5", "--max-instructions", "--timeout", "1", "0.5", "1e9",
        "--allow-blacklisted", "--engine", "--help", "--version", "--nosuch", "", "é", "@junk", "empty", "folder", "missing", "t.mpk", "t.mpk.db", "--", "-", "sys_*", "*", "[", "demo.elf", "demo.elf",
    ];

    private static readonly string[] _reportWords =
    [
        "summary", "query", "events", "hist", "latency", "stacks", "before", "who", "add", "check", "diff", "export", "html", "completion", "bash", "zsh", "fish", "select 1", "select * from events", "t.mpk", "t.mpk", "t.mpk", "u.mpk",
        "t.mpk.db", "junk", "empty", "folder", "missing", "demo.elf", "--comm", "--context", "--cpu", "--db", "--fault", "--folded", "--format", "--from", "--key", "--kind", "--limit", "--log2", "--min", "--ns", "--of", "--output",
        "-o", "--pid", "--probe", "--register", "--run", "--run-a", "--run-b", "--seq", "--symbol", "--to", "--top", "--value", "--where", "--from", "0", "1", "-1", "99999999999999999999", "1e400", "nan", "csv", "json", "jsonl", "md", "table",
        "perfetto", "ctf", "parquet", "clickhouse", "out", "comm", "duration_ns", "ax", "nosuch", "pre", "ret", "0x10", "1.5s", "10ms", "a b", "", "é\n", "--help", "--version", "[suggest:5]", "--", "-", "'", "1=1", "1); drop table x",
    ];

    private readonly string _folder = WorkFolder.Create();
    private readonly byte[] _junk = new FuzzRandom(9).Bytes(5000);

    public string Name => "commandline";

    public string Summary => "arguments of both tools in a folder with a trace, an image and rubbish";

    public byte[] Generate(FuzzRandom random)
    {
        bool record = random.OneIn(2);
        List<string> words = [record ? "record" : "report"];
        if (record && !random.OneIn(4))
        {
            words.Add("demo.elf");
        }
        else if (!record && !random.OneIn(4))
        {
            words.AddRange([random.Pick("query", "events", "hist", "latency", "stacks", "before", "who", "check", "diff", "export", "html"), "t.mpk"]);
        }

        for (int i = random.Next(8); i > 0; i--)
        {
            string word = random.Pick<string>(record ? _recordWords : _reportWords);
            words.Add(random.OneIn(15) ? word + "=" + random.Pick<string>(_reportWords) : random.OneIn(20) ? word[..random.Next(word.Length)] : word);
        }

        return Encoding.UTF8.GetBytes(string.Join('\x1F', words));
    }

    public void Run(byte[] input)
    {
        string[] words = Encoding.UTF8.GetString(input).Split('\x1F');

        // Here and not at the beginning: whoever only makes inputs stays where it is.
        Directory.SetCurrentDirectory(_folder);
        Furnish();
        if (words[0] == "report")
        {
            ReportRun.Run(words[1..]);
        }
        else if (words[0] == "record")
        {
            Record(words[1..]);
        }
    }

    private static void Record(string[] args)
    {
        using StringWriter said = new();
        string[] bounds = args.Contains("--max-instructions") || args.Contains("--") ? [] : ["--max-instructions", "200000"];
        string[] time = args.Contains("--timeout") || args.Contains("--") ? [] : ["--timeout", "5"];
        int exit = RecordTool.Run([.. args, .. bounds, .. time], new RecordConsole(Stream.Null, said));
        InvariantException.Require(exit is >= 0 and <= 4, $"exit status {exit}");
        InvariantException.Require(!said.ToString().Contains("   at ", StringComparison.Ordinal), "a stack trace:\n" + said);
    }

    /// <summary>The same folder for every input.</summary>
    private void Furnish()
    {
        foreach (string entry in Directory.EnumerateFileSystemEntries(_folder))
        {
            if (Path.GetFileName(entry) is not ("demo.elf" or "u.mpk"))
            {
                WorkFolder.Remove(entry);
            }
        }

        File.WriteAllBytes("junk", _junk);
        File.WriteAllBytes("empty", []);
        File.WriteAllText("probes", "p:a sys_write\n# nothing\nr:b sys_read $retval\n");
        Directory.CreateDirectory("folder");
        SyntheticTrace.Write("t.mpk", 200, seed: 3, eventsPerChunk: 50);
        if (!File.Exists("u.mpk"))
        {
            SyntheticTrace.Write("u.mpk", 100, seed: 4, eventsPerChunk: 50);
            File.Copy(Path.Combine(AppContext.BaseDirectory, "demo.elf"), "demo.elf");
        }
    }
}
