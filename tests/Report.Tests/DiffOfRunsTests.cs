using System.Text.Json;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>What <c>diff</c> prints of the second run of one database and the third of another, which have nothing in common but what they call.</summary>
public sealed class DiffOfRunsTests(DiffOfRunsTests.Pair pair) : IClassFixture<DiffOfRunsTests.Pair>
{
    private const string Probes = """
        p:fork kernel_clone
        p:open do_sys_openat2
        r:open_ret do_sys_openat2
        p:read vfs_read
        r:read_ret vfs_read

        """;

    /// <summary>Run 2 of A and run 3 of B are compared; the runs before them have other numbers of events and other places.</summary>
    public sealed class Pair : IDisposable
    {
        private readonly TraceFolder _folder = new();

        public Pair()
        {
            A = _folder["a.db"];
            B = _folder["b.db"];
            string first = _folder.Trace("p:f f\n1 f\n2 f", "first.mpk");
            string second = _folder.Trace("p:g g\n1 g\n2 g\n3 g", "second.mpk");
            string a = _folder.Trace(
                """
                image vmlinuz-a
                kernel "Linux A"
                p:old gone

                """ + Probes + """
                100 fork init-1
                200 open sh-2 caller=ksys_open+8
                300 open_ret sh-2 caller=ksys_open+8
                400 open sh-2 caller=io_open+8
                700 open_ret sh-2 caller=io_open+8
                800 fork init-1
                900 read sh-2
                1900 read_ret sh-2
                2700 old sh-2
                """,
                "a.mpk");
            string b = _folder.Trace(
                """
                image vmlinuz-b
                initrd 00ff
                p:new come

                """ + Probes + """
                100 fork init-1
                110 new sh-2
                200 open sh-2 caller=ksys_open+8
                220 open_ret sh-2 caller=ksys_open+8
                300 open sh-2 caller=ksys_open+8
                340 open_ret sh-2 caller=ksys_open+8
                600 read sh-2
                1100 read_ret sh-2
                1101 read sh-2
                1105 read_ret sh-2
                1110 new sh-2
                """,
                "b.mpk");
            _ = Tool.Good("add", A, first, a);
            _ = Tool.Good("add", B, first, second, b);
        }

        internal string A { get; }

        internal string B { get; }

        public void Dispose() => _folder.Dispose();
    }

    [Fact]
    public void Each_side_has_the_names_numbers_and_events_of_its_own_run() => Assert.Equal(
        """
        - A: /FOLDER/a.db: vmlinuz-a, Linux A, run 2, 9 events
        + B: /FOLDER/b.db: vmlinuz-b, Linux version 6.1.0, run 3, 11 events
          initramfs differs
          - not there
          + 00ff
        7 pairs aligned, 82.35 % of the 17 events of common probes

        First divergence of 1: 1 event only in A, 2 only in B
                  5               sh-2       [000] ..... 0.000000700: open_ret: (io_open+0x8/0x100 <- do_sys_openat2)
        -         6             init-1       [000] ..... 0.000000800: fork: (kernel_clone+0x0/0x100)
                  7               sh-2       [000] ..... 0.000000900: read: (vfs_read+0x0/0x100)
                  6               sh-2       [000] ..... 0.000000340: open_ret: (ksys_open+0x8/0x100 <- do_sys_openat2)
        +         7               sh-2       [000] ..... 0.000000600: read: (vfs_read+0x0/0x100)
        +         8               sh-2       [000] ..... 0.000001100: read_ret: (? <- vfs_read)
                A 6                 B 7
          ip    0xffffffff81001000  0xffffffff81003000

        Probes
        change   probe           A  B
        gained   p come          -  2
        lost     p gone          1  -
        changed  p kernel_clone  2  1
        changed  p vfs_read      1  2
        changed  r vfs_read      1  2

        Callers
        change   probe             caller     A  B
        lost     p do_sys_openat2  io_open    1  -
        changed  p do_sys_openat2  ksys_open  1  2
        lost     r do_sys_openat2  io_open    1  -
        changed  r do_sys_openat2  ksys_open  1  2

        Latency, ns of virtual time
        symbol          between    calls A  calls B  mean A  mean B  p95 A  p95 B   shift
        do_sys_openat2  entry-ret        2        2   200.0    30.0    300     40  -85.0%
        vfs_read        entry-ret        1        2  1000.0   252.0   1000    500  -74.8%

        """,
        Output("-C", "1"));

    [Fact]
    public void Each_list_ends_at_the_limit_and_says_of_how_many() => Assert.EndsWith(
        """
        Probes (1 of 5)
        change  probe   A  B
        gained  p come  -  2

        Callers (1 of 4)
        change  probe             caller   A  B
        lost    p do_sys_openat2  io_open  1  -

        Latency, ns of virtual time (1 of 2)
        symbol          between    calls A  calls B  mean A  mean B  p95 A  p95 B   shift
        do_sys_openat2  entry-ret        2        2   200.0    30.0    300     40  -85.0%

        """,
        Output("--limit", "1"),
        StringComparison.Ordinal);

    [Fact]
    public void Counts_alone_say_nothing_of_pairs_order_and_time() => Assert.Equal(
        """
        - A: /FOLDER/a.db: vmlinuz-a, Linux A, run 2, 9 events
        + B: /FOLDER/b.db: vmlinuz-b, Linux version 6.1.0, run 3, 11 events
          initramfs differs
          - not there
          + 00ff

        Probes
        change   probe           A  B
        gained   p come          -  2
        lost     p gone          1  -
        changed  p kernel_clone  2  1
        changed  p vfs_read      1  2
        changed  r vfs_read      1  2

        Callers
        change   probe             caller     A  B
        lost     p do_sys_openat2  io_open    1  -
        changed  p do_sys_openat2  ksys_open  1  2
        lost     r do_sys_openat2  io_open    1  -
        changed  r do_sys_openat2  ksys_open  1  2

        """,
        Output("--counts"));

    [Fact]
    public void Json_says_the_same()
    {
        JsonElement json = JsonDocument.Parse(Output("-C", "1", "--limit", "1", "--format", "json")).RootElement;
        JsonElement counts = JsonDocument.Parse(Output("--counts", "--format", "json")).RootElement;

        Assert.Equal("""{"source":"/FOLDER/a.db","image":"vmlinuz-a, Linux A","run":2,"events":9,"common":8}""", Compact(json, "a"));
        Assert.Equal("""{"source":"/FOLDER/b.db","image":"vmlinuz-b, Linux version 6.1.0","run":3,"events":11,"common":9}""", Compact(json, "b"));
        Assert.Equal("""[{"name":"initramfs","a":"","b":"00ff"}]""", Compact(json, "inputs"));
        Assert.Equal("""[{"change":"gained","probe":"p come","a":null,"b":2}]""", Compact(json, "probes"));
        Assert.Equal("""[{"change":"lost","probe":"p do_sys_openat2","caller":"io_open","a":1,"b":null}]""", Compact(json, "callers"));
        Assert.Equal(
            """[{"symbol":"do_sys_openat2","between":"entry-ret","countA":2,"countB":2,"meanA":200,"meanB":30,"p95A":300,"p95B":40}]""", Compact(json, "latencies"));
        Assert.Equal(("5", "4", "2"), (Compact(json, "probesChanged"), Compact(json, "callersChanged"), Compact(json, "latenciesChanged")));
        Assert.Equal(("false", "true"), (Compact(json, "countsOnly"), Compact(counts, "countsOnly")));
        Assert.Equal(("null", "[]"), (Compact(counts, "firstDivergence"), Compact(counts, "listed")));
        JsonElement first = json.GetProperty("firstDivergence");
        Assert.Equal(["open_ret", "fork", "read"], Context(first, "contextA"));
        Assert.Equal(["open_ret", "read", "read_ret"], Context(first, "contextB"));
    }

    /// <summary>The names of the events around a divergence.</summary>
    private static IEnumerable<string> Context(JsonElement divergence, string side) =>
        divergence.GetProperty(side).EnumerateArray().Select(static l => l.GetString()!.Split(": ")[1]);

    private static string Compact(JsonElement json, string property) => JsonSerializer.Serialize(json.GetProperty(property));

    private string Output(params string[] options) =>
        Tool.Run(["diff", pair.A, pair.B, "--run-a", "2", "--run-b", "3", .. options]).Output.Replace(Path.GetDirectoryName(pair.A)!, "/FOLDER", StringComparison.Ordinal);
}
