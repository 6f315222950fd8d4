using KprobeTrace.Store;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Modules that lie one after the other at the same addresses.</summary>
public sealed class ModuleSymbolTests : IDisposable
{
    private const ulong Module = 0xFFFFFFFFC0001000;
    private const ulong Caller = Module + 0x28;
    private readonly TraceFolder _folder = new();
    private TraceSymbol[] _loaded = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Callers_and_stacks_name_the_module_that_lay_there_at_the_event()
    {
        string trace = Write(First(), Second(), First());

        Assert.Equal("first_fn+0x28\r\nfirst_fn+0x28\r\nsecond_fn+0x18\r\nsecond_fn+0x18\r\nfirst_fn+0x28\r\nfirst_fn+0x28\r\n", Rows(trace, "SELECT caller FROM events ORDER BY seq"));
        Assert.Equal(
            "\"first first_fn, kernel\"\r\n\"first first_fn, kernel\"\r\n\"second second_fn, kernel\"\r\n\"second second_fn, kernel\"\r\n\"first first_fn, kernel\"\r\n\"first first_fn, kernel\"\r\n",
            Rows(trace, "SELECT (SELECT group_concat(trim(module || ' ' || symbol), ', ') FROM stacks s WHERE s.run = e.run AND s.stack = e.stack ORDER BY depth) FROM events e ORDER BY seq"));
        Assert.Equal("first_fn\r\nfirst_fn\r\nsecond_fn\r\n", Rows(trace, "SELECT name FROM symbols WHERE module <> '' ORDER BY name"));
        Assert.Equal("first_fn+0x28\r\n", Rows(trace, $"SELECT sym({unchecked((long)Caller)})"));
    }

    [Fact]
    public void Equal_stacks_keep_one_number_while_nothing_moved_and_get_another_where_it_did()
    {
        string trace = Write(First(), First(), Second());

        Assert.Equal("1\r\n1\r\n1\r\n1\r\n2\r\n2\r\n", Rows(trace, "SELECT stack FROM events ORDER BY seq"));
        Assert.Equal("first_fn\r\nsecond_fn\r\n", Rows(trace, "SELECT name FROM symbols WHERE module <> '' ORDER BY name"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void An_import_that_forgets_addresses_names_them_like_one_that_does_not(int remembered)
    {
        const string Named = """
            SELECT caller, (SELECT group_concat(trim(module || ' ' || symbol), ', ') FROM stacks s
              WHERE s.run = e.run AND s.stack = e.stack ORDER BY depth) FROM events e ORDER BY seq
            """;
        ulong[] others = [0x10, 0x20, 0x30];
        string trace = Write(other => [others[other % 3]], First(), Second(), First(), Second(), Second(), First());
        string expected = Rows(trace, Named);

        using TraceHistory history = TraceHistory.Open(trace, _folder["short.db"], new ImportOptions { PlacesRemembered = remembered });

        Assert.Equal(expected, Rows(_folder["short.db"], Named));
        Assert.Contains("second_fn", expected, StringComparison.Ordinal);
    }

    [Fact]
    public void Function_that_begins_inside_the_earlier_one_takes_its_place_and_not_the_kernels()
    {
        string trace = Write(First(), [new(Module + 0x28, 0x10, "late_fn", "late", 't')], Second());

        Assert.Equal("first_fn+0x28\r\nlate_fn\r\nsecond_fn+0x18\r\n", Rows(trace, "SELECT DISTINCT caller FROM events ORDER BY seq"));
        Assert.Equal("kernel\r\nkernel_fn\r\n", Rows(trace, "SELECT name FROM symbols WHERE module = '' ORDER BY name"));
    }

    private static TraceSymbol[] First() => [new(Module, 0x80, "first_fn", "first", 't')];

    private static TraceSymbol[] Second() => [new(Module + 0x10, 0x40, "second_fn", "second", 't')];

    private static string Rows(string trace, string sql)
    {
        string csv = Tool.Good("query", trace, sql, "--format", "csv");
        return csv[(csv.IndexOf('\n', StringComparison.Ordinal) + 1)..];
    }

    /// <summary>Writes two events a module, each called from the same address, with the module's symbols as the recorder would.</summary>
    private string Write(params TraceSymbol[][] modules) => Write(static _ => [], modules);

    /// <summary>The same, with further addresses behind the caller in the stack of each event.</summary>
    private string Write(Func<int, ulong[]> further, params TraceSymbol[][] modules)
    {
        const ulong kernel = 0xFFFFFFFF81094000;
        TraceSymbol[] known = [new(kernel, 0x100, "kernel_fn", "", 'T'), new(kernel + 0x1000, 0x100, "kernel", "", 'T')];
        string path = _folder["modules.mpk"];
        TraceHeader header = new() { ImageName = "vmlinuz", ImageSha256 = new string('0', 64), Producer = "test" };
        using TraceWriter writer = TraceWriter.Create(path, header, new TraceWriterOptions { ResolveSymbol = Resolve });
        writer.WriteProbe(new TraceProbe { Id = 0, Type = 'p', Name = "hit", Symbol = "kernel_fn", Address = kernel });
        ulong time = 0;
        foreach (TraceSymbol[] module in modules)
        {
            _loaded = module;
            writer.ForgetSymbols(Module, Module + 0x1000);
            for (int i = 0; i < 2; i++)
            {
                time += 10;
                TraceEvent e = new() { TimeNs = time, Instructions = time, Address = kernel, Caller = Caller, Kind = TraceEventKind.Pre, ProbeId = 0 };
                writer.WriteEvent(in e, default, [Caller, .. further((int)time / 10), kernel + 0x1010]);
            }
        }

        writer.Complete(new TraceFooter { Ended = "poweroff", TimeNs = time, Instructions = time, Probes = [] });
        return path;

        TraceSymbol? Resolve(ulong address) =>
            known.Concat(_loaded).Where(s => address - s.Address < s.Size).Select(s => (TraceSymbol?)s).FirstOrDefault();
    }
}
