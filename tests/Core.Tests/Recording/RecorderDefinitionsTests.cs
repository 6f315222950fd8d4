using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using Xunit;

namespace KprobeTrace.Tests.Recording;

/// <summary>Definitions and filters as a recorder takes or refuses them before the guest's first instruction.</summary>
public sealed class RecorderDefinitionsTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void Options_have_these_values_unless_they_are_given()
    {
        RecordingOptions options = new() { Image = "x" };

        Assert.Equal(("trace.mpk", EventKinds.All, 0L, 0L, ""), (options.Output, options.Kinds, options.MaxEvents, options.MaxInstructions, options.Producer));
        Assert.Equal((false, false), (options.SkipRefused, options.AllowBlacklisted));
        Assert.Equal((0, 0, 0), (options.Probes.Count, options.ProbeFiles.Count, options.Filters.Count));
        Assert.True(options.SymbolFile is null && options.Warn is null && options.ImageBytes is null);
        Assert.Equal((512UL << 20, "console=ttyS0 panic=-1"), (options.Load.Memory, options.Load.Line));
        Assert.True(options.Load.MemorySize is null && options.Load.CommandLine is null && options.From is null && options.SaveAt.Count == 0);
        Assert.Equal(15, (int)(EventKinds.Pre | EventKinds.Post | EventKinds.Fault | EventKinds.Return));
    }

    [Fact]
    public void Definitions_of_the_command_line_come_before_those_of_files()
    {
        File.WriteAllText(_file, "# more\np:c two\n-:b\n");

        using Recorder recorder = Open(new RecordingOptions { Image = "", Probes = ["p:a one", "p:b two"], ProbeFiles = [_file] });

        Assert.Equal(["p:a one", "p:b two", "p:c two", "-:b"], recorder.Definitions);
        Assert.Equal(["one", "two"], recorder.Session.Kprobes.Probes().Select(p => recorder.Session.Symbols.Format(p.Addr).Split('+')[0]));
        Assert.Equal(["a", "c"], recorder.Session.Events.Events.Select(e => e.Name));
        Assert.True(recorder.HasProbes);
        Assert.Empty(recorder.Skipped);
        Assert.Empty(recorder.Pending);
        Assert.Equal(0ul, recorder.EventCount);
    }

    [Fact]
    public void Definitions_that_are_all_taken_back_leave_no_probe()
    {
        using Recorder recorder = Open(new RecordingOptions { Image = "", Probes = ["p:a one", "r:b two", "-:a", "-:b"] });

        Assert.False(recorder.HasProbes);
        Assert.Empty(recorder.Session.Kprobes.Probes());
        Assert.Equal("", recorder.Session.Kprobes.List());
    }

    [Fact]
    public void File_without_a_definition_is_refused_unless_there_are_others()
    {
        File.WriteAllText(_file, "# none\n");

        Assert.Equal(_file + ": it holds no probe definition", Refusal(new RecordingOptions { Image = "", ProbeFiles = [_file] }));
        using Recorder recorder = Open(new RecordingOptions { Image = "", Probes = ["p:a one"], ProbeFiles = [_file] });
        Assert.Equal(["p:a one"], recorder.Definitions);
    }

    [Fact]
    public void First_refused_definition_is_the_error_with_its_line()
    {
        File.WriteAllText(_file, "p:a one\n\np:b nosuch\np:c neither\n");

        Assert.StartsWith(_file + ":3: bad probe definition\np:b nosuch\n", Refusal(new RecordingOptions { Image = "", ProbeFiles = [_file] }), StringComparison.Ordinal);
        Assert.StartsWith("bad probe definition\np:b nosuch\n", Refusal(new RecordingOptions { Image = "", Probes = ["p:b nosuch"], ProbeFiles = [_file] }), StringComparison.Ordinal);
    }

    [Fact]
    public void Refused_definitions_are_left_out_where_that_is_wanted()
    {
        File.WriteAllText(_file, "p:b nosuch\np:c two\nr:d long_one+1\n");

        using Recorder recorder = Open(new RecordingOptions { Image = "", Probes = ["p:a one"], ProbeFiles = [_file], SkipRefused = true });

        Assert.Equal(["p:a one", "p:c two"], recorder.Definitions);
        Assert.Equal([$"{_file}:1: p:b nosuch", $"{_file}:3: r:d long_one+1"], recorder.Skipped.Select(s => s.Place));
        Assert.Equal(["p:b nosuch", "r:d long_one+1"], recorder.Skipped.Select(s => s.Line.Definition));
        Assert.Equal(["a", "c"], recorder.Session.Events.Events.Select(e => e.Name));
    }

    [Fact]
    public void Where_all_are_refused_there_is_nothing_to_record()
    {
        Assert.Equal(
            "nothing to record: all 2 probe definitions were refused, the first one: p:a thre: Invalid probed address or symbol (no symbol thre; did you mean three?)",
            Refusal(new RecordingOptions { Image = "", Probes = ["p:a thre", "p:b nosuch"], SkipRefused = true }));
        using Recorder recorder = Open(new RecordingOptions { Image = "", Probes = ["p:a nosuch", "p:b one"], SkipRefused = true });
        Assert.Single(recorder.Skipped);
    }

    [Fact]
    public void Definition_that_the_kernel_refuses_when_it_is_registered_leaves_no_event()
    {
        using Recorder recorder = Open(new RecordingOptions { Image = "", Probes = ["p:bad long_one+1", "p:bad one"], SkipRefused = true });

        Assert.Equal(["p:bad one"], recorder.Definitions);
        Assert.Contains("is not the start of an instruction", Assert.Single(recorder.Skipped).Error.Explain(withHint: false), StringComparison.Ordinal);
        Assert.Equal("one", Assert.Single(Assert.Single(recorder.Session.Events.Events).Probes).Place.Symbol);
    }

    /// <summary>A filter and the text of it that is in force.</summary>
    [Theory]
    [InlineData("a: x == 1", "x == 1")]
    [InlineData("a:x==1", "x==1")]
    [InlineData("  a  :   x == 1  ", "x == 1")]
    [InlineData("kprobes/a: x == 1", "x == 1")]
    [InlineData("a: t == \"b:c\"", "t == \"b:c\"")]
    public void Filter_belongs_to_the_probe_before_its_first_colon(string filter, string text)
    {
        using Recorder recorder = Open(new RecordingOptions { Image = "", Probes = ["p:a one x=%di:u32 t=+0(%si):string", "p:b two x=%di:u32"], Filters = [filter] });

        Assert.Equal([text, null], recorder.Session.Events.Events.Select(e => e.Filter?.Text));
    }

    [Fact]
    public void Last_filter_of_a_probe_is_in_force()
    {
        using Recorder recorder = Open(new RecordingOptions { Image = "", Probes = ["p:a one x=%di:u32", "p:b two x=%di:u32"], Filters = ["a: x == 1", "b: x == 2", "a: x == 3"] });

        Assert.Equal(["x == 3", "x == 2"], recorder.Session.Events.Events.Select(e => e.Filter?.Text));
    }

    [Theory]
    [InlineData("fist: x == 1", "--filter 'fist: x == 1': no probe is named 'fist'; did you mean first?; write NAME: EXPRESSION with the name of a probe")]
    [InlineData("x == 1", "--filter 'x == 1': no probe is named 'x == 1'; write NAME: EXPRESSION with the name of a probe")]
    [InlineData(": x == 1", "--filter ': x == 1': no probe is named ''; write NAME: EXPRESSION with the name of a probe")]
    [InlineData("first", "--filter 'first': no probe is named 'first'; write NAME: EXPRESSION with the name of a probe")]
    public void Filter_of_no_probe_is_refused(string filter, string message) =>
        Assert.Equal(message, Refusal(new RecordingOptions { Image = "", Probes = ["p:first one x=%di:u32"], Filters = [filter] }));

    [Theory]
    [InlineData("p:gone nosuch", "gone", true)]
    [InlineData("p:gone\tnosuch", "gone", true)]
    [InlineData("p:my/gone nosuch", "gone", true)]
    [InlineData("p:my/gone nosuch", "my/gone", true)]
    [InlineData("p:my/gone nosuch", "one", false)]
    [InlineData("p:gone nosuch", "gon", false)]
    [InlineData("p:gone nosuch", "my/gone", false)]
    public void Filter_goes_with_a_probe_that_was_left_out(string definition, string name, bool goes)
    {
        RecordingOptions options = new() { Image = "", Probes = ["p:kept one x=%di:u32", definition], Filters = [name + ": x == 1"], SkipRefused = true };

        if (goes)
        {
            using Recorder recorder = Open(options);
            Assert.Null(Assert.Single(recorder.Session.Events.Events).Filter);
        }
        else
        {
            Assert.Contains($"no probe is named '{name}'", Refusal(options), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Long_filter_is_shortened_in_what_is_said_of_it() =>
        Assert.InRange(Refusal(new RecordingOptions { Image = "", Probes = ["p:a one"], Filters = [new string('n', 5000)] }).Length, 400, 600);

    [Fact]
    public void What_Linux_refuses_is_probed_where_that_is_allowed()
    {
        using Recorder allowed = Open(new RecordingOptions { Image = "", Probes = ["p:a one"], AllowBlacklisted = true });
        using Recorder plain = Open(new RecordingOptions { Image = "", Probes = ["p:a one"] });

        Assert.Equal((true, false), (allowed.Session.Kprobes.AllowBlacklisted, plain.Session.Kprobes.AllowBlacklisted));
    }

    [Fact]
    public void Session_of_a_bare_image_knows_its_place_and_nothing_of_Linux()
    {
        using Recorder recorder = Open(new RecordingOptions { Image = "", Probes = ["p:a long_one"] });
        GuestSession session = recorder.Session;

        Assert.Equal("0x100000 (one+0x0)", session.Place());
        session.Machine.Run(3);
        Assert.Equal("0x100003 (three+0x1)", session.Place());
        Assert.True(session.Linux is null && session.KernelMemory is null && session.Unwinder is null && session.Watch is null && session.Types is null);
        byte[] two = new byte[2];
        Assert.True(session.TryRead(FlatGuest.Load + 4, two));
        Assert.Equal([0x48, 0xB8], two);
        Assert.False(session.TryRead(0x7000_0000_0000, two));
        using GuestSession bare = GuestSession.Open(
            new RecordingOptions { Image = "flat", ImageBytes = new byte[] { 0x90 }, Load = new ImageLoadOptions { MemorySize = 16 << 20, LoadAddress = 0x100000 } }, _ => { });
        Assert.Equal("0x100000", bare.Place());
    }

    private static Recorder Open(RecordingOptions options)
    {
        FlatGuest guest = new();
        guest.Mark("one").Code.nop();
        guest.Mark("two").Code.nop();
        guest.Mark("three").Code.nop();
        guest.Code.nop();
        guest.Mark("long_one").Code.mov(Iced.Intel.AssemblerRegisters.rax, 0x1234_5678_9ABC_DEF0);
        guest.Exit();
        return RecordedGuest.Open(guest, options);
    }

    private static string Refusal(RecordingOptions options) => Assert.ThrowsAny<KprobeTraceException>(() => Open(options)).Message;
}
