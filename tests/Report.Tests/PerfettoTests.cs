using System.Text.RegularExpressions;
using KprobeTrace.Bench;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Perfetto traces, read by Google's protoc against the field numbers that perfetto publishes.</summary>
public sealed partial class PerfettoTests : IDisposable
{
    /// <summary>What an export uses of perfetto's messages; whatever else is in a file shows up as a bare number.</summary>
    internal const string Schema = """
        syntax = "proto2";
        message Trace { repeated TracePacket packet = 1; }
        message TracePacket {
          optional uint64 timestamp = 8;
          optional uint32 trusted_packet_sequence_id = 10;
          optional TrackEvent track_event = 11;
          optional TrackDescriptor track_descriptor = 60;
        }
        message TrackDescriptor {
          optional uint64 uuid = 1;
          optional string name = 2;
          optional ProcessDescriptor process = 3;
          optional ThreadDescriptor thread = 4;
          optional uint64 parent_uuid = 5;
        }
        message ProcessDescriptor { optional int32 pid = 1; optional string process_name = 6; }
        message ThreadDescriptor { optional int32 pid = 1; optional int32 tid = 2; optional string thread_name = 5; }
        message TrackEvent {
          enum Type { TYPE_UNSPECIFIED = 0; TYPE_SLICE_BEGIN = 1; TYPE_SLICE_END = 2; TYPE_INSTANT = 3; }
          repeated DebugAnnotation debug_annotations = 4;
          optional Type type = 9;
          optional uint64 track_uuid = 11;
          repeated string categories = 22;
          optional string name = 23;
        }
        message DebugAnnotation {
          optional int64 int_value = 4;
          optional string string_value = 6;
          optional uint64 pointer_value = 7;
          optional string name = 10;
        }
        """;

    /// <summary>A call of one task, two nested ones of another; then a hit whose task is renamed before it is done.</summary>
    private const string Story = """
        image vmlinuz-slices
        p:brk do_brk
        r:brk_ret do_brk
        p:open do_open dfd=%di:s32 name=+0(%si):ustring
        r:open_ret do_open ret=$retval:s64
        console 50 "Booting on CPU 0"
        100 brk systemd-1
        250 brk_ret systemd-1
        300 open make-42 dfd=-100 name=/etc/hosts
        340 open make-42 name=b
        380 open_ret make-42 ret=3
        500 open_ret make-42 ret=4
        600 brk cc1-42
        650 brk post make-42
        """;

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [ProgramFact("protoc")]
    public void A_run_is_a_process_with_a_thread_for_each_task_and_tracks_for_cpu_and_console()
    {
        List<Packet> packets = Read(_folder.Trace(Story));

        Assert.Equal("run 1: vmlinuz-slices", packets.Single(static p => p.Has("process")).Text("process_name"));
        Packet[] threads = [.. packets.Where(static p => p.Has("thread"))];
        Assert.All(threads, static t => Assert.Equal("1", t.Value("pid")));
        Assert.Equal(["1 systemd", "42 make"], threads.Select(static t => t.Value("tid") + " " + t.Text("thread_name")).Order());
        Packet process = packets.Single(static p => p.Has("process"));
        Assert.Equal(
            ["CPU 0", "console"],
            packets.Where(p => p.Has("parent_uuid") && p.Value("parent_uuid") == process.Value("uuid")).Select(static p => p.Text("name")).Order(StringComparer.Ordinal));
    }

    [ProgramFact("protoc")]
    public void Calls_are_slices_all_else_is_an_instant_and_arguments_keep_their_kind()
    {
        List<Packet> packets = Read(_folder.Trace(Story));

        // Three calls and the turns of four tasks on one CPU; five events that are no return, one console line.
        Assert.Equal(3 + 4, packets.Count(static p => p.Value("type") == "TYPE_SLICE_BEGIN"));
        Assert.Equal(5 + 1, packets.Count(static p => p.Value("type") == "TYPE_INSTANT"));
        Packet open = packets.Single(static p => p.Has("track_event") && p.Value("timestamp") == "300" && p.Value("type") == "TYPE_INSTANT");
        Assert.Equal(["seq", "dfd", "name"], open.Annotations.Select(static a => a.Name));
        Assert.Equal(["int_value: 3", "int_value: -100", "string_value: \"/etc/hosts\""], open.Annotations.Select(static a => a.Value));
        Packet line = packets.Single(static p => p.Text("name") == "Booting on CPU 0");
        Assert.Equal("50", line.Value("timestamp"));
    }

    [ProgramFact("protoc")]
    public void Slices_of_a_large_trace_nest_on_tracks_that_are_described_before_them()
    {
        string trace = _folder["large.mpk"];
        SyntheticTrace.Write(trace, 20_000);

        AssertNests(Read(trace));
    }

    [ProgramFact("protoc")]
    public void Runs_of_one_history_are_processes_of_their_own()
    {
        string database = _folder["two.db"];
        _ = Tool.Good("add", database, _folder.Trace(Story), _folder.Trace("image vmlinuz-b\np:f f\n7 f make-42\n8 f swapper-3", "b.mpk"));

        List<Packet> both = Read(database);
        List<Packet> second = Read(database, "--run", "2");

        AssertNests(both);
        Assert.Equal(["run 1: vmlinuz-slices", "run 2: vmlinuz-b"], both.Where(static p => p.Has("process")).Select(static p => p.Text("process_name")));
        Assert.Equal(["1/1", "1/42", "2/3", "2/42"], both.Where(static p => p.Has("thread")).Select(static p => p.Value("pid") + "/" + p.Value("tid")).Order());
        Assert.Equal(["run 2: vmlinuz-b"], second.Where(static p => p.Has("process")).Select(static p => p.Text("process_name")));
    }

    /// <summary>As a reader does: events in order of time, on each track a stack of open slices.</summary>
    private static void AssertNests(List<Packet> packets)
    {
        HashSet<string> described = [];
        foreach (Packet packet in packets)
        {
            if (packet.Has("track_descriptor"))
            {
                Assert.True(described.Add(packet.Value("uuid")!), "a track is described twice");
            }
            else
            {
                Assert.Contains(packet.Value("track_uuid")!, described);
            }
        }

        Dictionary<string, int> open = [];
        foreach (Packet packet in packets.Where(static p => p.Has("track_event")).OrderBy(static p => ulong.Parse(p.Value("timestamp")!, null)))
        {
            string track = packet.Value("track_uuid")!;
            int depth = open.GetValueOrDefault(track) + (packet.Value("type") switch { "TYPE_SLICE_BEGIN" => 1, "TYPE_SLICE_END" => -1, _ => 0 });
            Assert.True(depth >= 0, "a slice ends that has not begun");
            open[track] = depth;
        }

        Assert.NotEmpty(open);
        Assert.All(open.Values, static depth => Assert.Equal(0, depth));
    }

    private List<Packet> Read(string source, params string[] options)
    {
        string target = _folder["t.pftrace"];
        _ = Tool.Good(["export", source, "--to", "perfetto", "-o", target, .. options]);
        File.WriteAllText(_folder["subset.proto"], Schema);
        string text = ProgramFactAttribute.Run(
            "sh", "-c", "exec protoc --proto_path=\"$1\" --decode=Trace \"$1/subset.proto\" < \"$2\"", "sh", Path.GetDirectoryName(target)!, target);
        Assert.DoesNotMatch(UnknownField(), text);
        return [.. text.Split("packet {\n", StringSplitOptions.RemoveEmptyEntries).Select(static p => new Packet(p))];
    }

    [GeneratedRegex(@"^\s*[0-9]+( \{|:)", RegexOptions.Multiline)]
    private static partial Regex UnknownField();

    /// <summary>One packet in protoc's text form.</summary>
    private sealed class Packet
    {
        private readonly Dictionary<string, string> _fields = [];

        internal Packet(string text)
        {
            string? annotation = null;
            bool inside = false;
            foreach (string line in text.Split('\n').Select(static l => l.Trim()))
            {
                if (line.EndsWith('{'))
                {
                    inside = line.StartsWith("debug_annotations", StringComparison.Ordinal);
                    _fields[line[..^2]] = "";
                }
                else if (line == "}" && inside)
                {
                    inside = false;
                }
                else if (inside && line.StartsWith("name:", StringComparison.Ordinal))
                {
                    Annotations.Add((line[7..^1], annotation!));
                }
                else if (inside)
                {
                    annotation = line;
                }
                else if (line.Split(": ", 2) is [string name, string value])
                {
                    _fields[name] = value;
                }
            }
        }

        internal List<(string Name, string Value)> Annotations { get; } = [];

        internal bool Has(string field) => _fields.ContainsKey(field);

        internal string? Value(string field) => _fields.GetValueOrDefault(field);

        internal string? Text(string field) => Value(field)?.Trim('"');
    }
}
