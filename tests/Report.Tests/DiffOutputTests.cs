using System.Text.Encodings.Web;
using System.Text.Json;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>What <c>diff</c> prints of two traces that differ in everything, character by character.</summary>
public sealed class DiffOutputTests(DiffOutputTests.Pair pair) : IClassFixture<DiffOutputTests.Pair>
{
    private static readonly JsonSerializerOptions _compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Two traces of six and seven events.</summary>
    public sealed class Pair : IDisposable
    {
        private const string Probes = """
            image vmlinuz-test
            kernel "Linux version 6.1.0-test"
            p:fork kernel_clone
            r:fork_ret kernel_clone
            p:open do_sys_openat2 name=+0(%si):ustring
            r:open_ret do_sys_openat2 ret=$retval:s64
            p:extra never_called

            """;

        private readonly TraceFolder _folder = new();

        public Pair()
        {
            A = _folder.Trace(
                Probes + """
                cmdline "console=ttyS0 panic=-1"
                memory 268435456
                100 fork init-1 %di=17
                300 open sh-42 name=/etc/passwd
                380 open_ret sh-42 ret=3 %ax=3
                600 fork sh-42 %di=17
                700 open sh-42 name=/x
                900 open_ret sh-42 ret=3 %ax=3
                """,
                "a.mpk");
            B = _folder.Trace(
                Probes + """
                cmdline quiet
                memory 536870912
                100 fork init-1 %di=18
                310 open sh-42 name=/etc/shadow %ax=5
                410 open_ret sh-42 ret=3 %ax=3
                700 open sh-42 name=/x
                1110 open_ret sh-42 ret=3 %ax=3
                1200 extra sh-42
                1300 extra sh-42
                """,
                "b.mpk");
        }

        internal string A { get; }

        internal string B { get; }

        public void Dispose() => _folder.Dispose();
    }

    [Fact]
    public void Text() => Assert.Equal(
        """
        - A: /FOLDER/a.mpk: vmlinuz-test, Linux version 6.1.0-test, run 1, 6 events
        + B: /FOLDER/b.mpk: vmlinuz-test, Linux version 6.1.0-test, run 1, 7 events
          command line differs
          - console=ttyS0 panic=-1
          + quiet
          memory differs: 256 MiB in A, 512 MiB in B
        5 pairs aligned, 76.92 % of the 13 events of common probes

        First divergence of 3: the same event with other arguments: name is "/etc/passwd" in A, "/etc/shadow" in B
                  1             init-1       [000] ..... 0.000000100: fork: (kernel_clone+0x0/0x100)
        -         2               sh-42      [000] ..... 0.000000300: open: (do_sys_openat2+0x0/0x100) name="/etc/passwd"
                  3               sh-42      [000] ..... 0.000000380: open_ret: (? <- do_sys_openat2) ret=3
                  1             init-1       [000] ..... 0.000000100: fork: (kernel_clone+0x0/0x100)
        +         2               sh-42      [000] ..... 0.000000310: open: (do_sys_openat2+0x0/0x100) name="/etc/shadow"
                  3               sh-42      [000] ..... 0.000000410: open_ret: (? <- do_sys_openat2) ret=3
                A 2                 B 2
          ax    0x0000000000000000  0x0000000000000005
          then at A 4, B 4: 1 event only in A, 0 only in B
          then at A , B 6: 0 events only in A, 2 only in B

        Virtual time differs from A 2, B 2 on: 300 ns, 310 ns

        First difference in registers of events that correspond
                A 1                 B 1
          di    0x0000000000000011  0x0000000000000012

        Probes
        change   probe           A  B
        changed  p never_called  0  2
        changed  p kernel_clone  2  1

        Latency, ns of virtual time
        symbol          between    calls A  calls B  mean A  mean B  p95 A  p95 B   shift
        do_sys_openat2  entry-ret        2        2   140.0   255.0    200    410  +82.1%

        """,
        Output("-C", "1"));

    [Fact]
    public void Json()
    {
        string json = Output("-C", "1", "--format", "json");

        Assert.StartsWith("{\n  \"differs\": true,\n  \"sameImage\": true,\n  \"a\": {\n    \"source\"", json, StringComparison.Ordinal);
        Assert.EndsWith("\n}\n", json, StringComparison.Ordinal);
        Assert.Equal(
            """
            differs: true
            sameImage: true
            a: {"source":"/FOLDER/a.mpk","image":"vmlinuz-test, Linux version 6.1.0-test","run":1,"events":6,"common":6}
            b: {"source":"/FOLDER/b.mpk","image":"vmlinuz-test, Linux version 6.1.0-test","run":1,"events":7,"common":7}
            inputs: [{"name":"command line","a":"console=ttyS0 panic=-1","b":"quiet"},{"name":"memory","a":"268435456","b":"536870912"}]
            countsOnly: false
            aligned: 5
            alignedShare: 0.7692307692307693
            divergences: 3
            firstDivergence: {"what":"arguments","seqA":2,"seqB":2,"onlyA":1,"onlyB":1,"arguments":[{"name":"name","a":"\"/etc/passwd\"","b":"\"/etc/shadow\""}],"callers":null,"registers":[{"name":"ax","a":"0x0","b":"0x5"}],"contextA":["            init-1       [000] ..... 0.000000100: fork: (kernel_clone+0x0/0x100)","              sh-42      [000] ..... 0.000000300: open: (do_sys_openat2+0x0/0x100) name=\"/etc/passwd\"","              sh-42      [000] ..... 0.000000380: open_ret: (? <- do_sys_openat2) ret=3"],"contextB":["            init-1       [000] ..... 0.000000100: fork: (kernel_clone+0x0/0x100)","              sh-42      [000] ..... 0.000000310: open: (do_sys_openat2+0x0/0x100) name=\"/etc/shadow\"","              sh-42      [000] ..... 0.000000410: open_ret: (? <- do_sys_openat2) ret=3"]}
            listed[0]: {"what":"arguments","seqA":2,"seqB":2,"onlyA":1,"onlyB":1,"arguments":[{"name":"name","a":"\"/etc/passwd\"","b":"\"/etc/shadow\""}],"callers":null,"registers":[{"name":"ax","a":"0x0","b":"0x5"}],"contextA":null,"contextB":null}
            listed[1]: {"what":"events","seqA":4,"seqB":4,"onlyA":1,"onlyB":0,"arguments":[],"callers":null,"registers":[{"name":"di","a":"0x11","b":"0x0"},{"name":"ip","a":"0xffffffff81000000","b":"0xffffffff81001000"}],"contextA":null,"contextB":null}
            listed[2]: {"what":"events","seqA":null,"seqB":6,"onlyA":0,"onlyB":2,"arguments":[],"callers":null,"registers":[],"contextA":null,"contextB":null}
            firstTimeDifference: {"seqA":2,"seqB":2,"timeA":300,"timeB":310}
            firstRegisterDifference: {"seqA":1,"seqB":1,"registers":[{"name":"di","a":"0x11","b":"0x12"}]}
            probes: [{"change":"changed","probe":"p never_called","a":0,"b":2},{"change":"changed","probe":"p kernel_clone","a":2,"b":1}]
            probesChanged: 2
            callers: []
            callersChanged: 0
            latencies: [{"symbol":"do_sys_openat2","between":"entry-ret","countA":2,"countB":2,"meanA":140,"meanB":255,"p95A":200,"p95B":410}]
            latenciesChanged: 1
            """,
            string.Join('\n', JsonDocument.Parse(json).RootElement.EnumerateObject().SelectMany(Lines)));
    }

    [Fact]
    public void Time_that_differs_is_told_by_the_number_that_the_event_has_on_each_side()
    {
        using TraceFolder folder = new();
        const string Probes = """
            p:fork kernel_clone
            p:open do_sys_openat2

            """;
        string a = folder.Trace(
            Probes + """
            100 fork init-1
            200 open sh-2
            300 fork sh-2
            """,
            "a.mpk");
        string b = folder.Trace(
            Probes + """
            100 fork init-1
            350 fork sh-2
            """,
            "b.mpk");

        string output = Tool.Run(["diff", a, b]).Output;

        Assert.Contains("\nVirtual time differs from A 3, B 2 on: 300 ns, 350 ns\n", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Latency", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Lists_end_at_the_limit_and_say_so()
    {
        string text = Output("--limit", "1");
        JsonElement json = JsonDocument.Parse(Output("--limit", "1", "--format", "json")).RootElement;

        Assert.Contains("\nFirst divergence of 3: ", text, StringComparison.Ordinal);
        Assert.DoesNotContain("  then at ", text, StringComparison.Ordinal);
        Assert.Contains("\nProbes (1 of 2)\nchange   probe           A  B\nchanged  p never_called  0  2\n\nLatency, ns of virtual time\n", text, StringComparison.Ordinal);
        Assert.Equal((1, 3), (json.GetProperty("listed").GetArrayLength(), json.GetProperty("divergences").GetInt32()));
        Assert.Equal((1, 2), (json.GetProperty("probes").GetArrayLength(), json.GetProperty("probesChanged").GetInt32()));
    }

    /// <summary>A property a line, and an element a line of the divergences.</summary>
    private static IEnumerable<string> Lines(JsonProperty property) => property.Name == "listed"
        ? property.Value.EnumerateArray().Select(static (d, i) => $"listed[{i}]: {Compact(d)}")
        : [$"{property.Name}: {Compact(property.Value)}"];

    private static string Compact(JsonElement value) => JsonSerializer.Serialize(value, _compact);

    private string Output(params string[] options) =>
        Tool.Run(["diff", pair.A, pair.B, .. options]).Output.Replace(Path.GetDirectoryName(pair.A)!, "/FOLDER", StringComparison.Ordinal);
}
