using System.Globalization;
using System.Text.RegularExpressions;
using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Probes on Debian's own modules, which the guest loads, uses, removes and loads again.</summary>
public sealed class StockModuleTests(ModuleBoots boots) : IClassFixture<ModuleBoots>
{
    private const ulong Page = 0x1000;

    [StockGuestFact]
    public void Guest_does_not_notice_probes_on_its_modules()
    {
        Assert.True(boots.Boot.Exit == 0, boots.Boot.Error);
        Assert.Contains("INIT-DONE", boots.Boot.Lines);
        Assert.Equal(3, boots.Boot.Lines.Count(line => line.StartsWith("MODULE-REMOVED=", StringComparison.Ordinal) && line != "MODULE-REMOVED=crc7"));
        Assert.Equal(boots.Plain.Console, boots.Boot.Output);
        Assert.Equal(boots.Plain.Instructions, boots.Trace.Footer!.Instructions);
    }

    [StockGuestFact]
    public void Same_command_gives_the_same_bytes()
    {
        Assert.Equal(boots.Boot.Output, boots.Again.Output);
        Assert.True(File.ReadAllBytes(boots.Boot.TracePath).AsSpan().SequenceEqual(File.ReadAllBytes(boots.Again.TracePath)));
    }

    [StockGuestFact]
    public void Hits_equal_what_the_engine_counts_at_every_address_the_probe_had()
    {
        Dictionary<string, ulong> hits = boots.Trace.Hits();
        foreach (TraceProbe probe in boots.Trace.Probes)
        {
            ulong executed = Addresses(probe.Name).Aggregate(0ul, (sum, address) => sum + boots.Plain.Counts[address]);
            Assert.Equal((probe.Name, executed), (probe.Name, hits[probe.Name]));
            Assert.Equal(hits[probe.Name], (ulong)Events(probe.Name).Count);
        }

        Assert.Equal((2ul, 2ul, 2ul, 2ul), (hits["init"], hits["entry"], hits["exit"], hits["exit_ret"]));
        Assert.True(hits["submit"] >= 4);
        Assert.Equal((1ul, 1ul, 0ul), (hits["dummy_init"], hits["dummy_setup"], hits["crc"]));
    }

    [StockGuestFact]
    public void Modules_are_where_the_guest_says_and_the_second_time_elsewhere()
    {
        ulong[] printed = [.. boots.Boot.Lines.Select(line => Regex.Match(line, "^MODULE-LOADED=(\\w+) 0x([0-9a-f]{16})$")).Where(m => m.Success)
            .Select(m => ulong.Parse(m.Groups[2].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture))];

        Assert.Equal(["crc7", "dummy", "brd", "brd"], boots.Plain.Modules.Select(m => m.Name));
        Assert.Equal(printed, boots.Plain.Modules.Select(m => m.CoreText.Start));
        Assert.NotEqual(printed[2], printed[3]);
        ulong offset = Addresses("submit")[0] - printed[2];
        Assert.Equal([printed[2] + offset, printed[3] + offset], Addresses("submit"));
        Assert.Equal([printed[2] + offset + 5, printed[3] + offset + 5], Addresses("inside"));
    }

    [StockGuestFact]
    public void Probes_are_armed_before_the_init_function_and_gone_after_it()
    {
        TraceNote[] notes = [.. NotesOf("init")];
        List<TraceEvent> hits = Events("init");

        Assert.Equal(["armed", "gone", "armed", "gone"], notes.Select(n => n.Text.Split(':')[0]));
        Assert.Equal(2, hits.Count);
        Assert.True(notes[0].Instructions < hits[0].Instructions && hits[0].Instructions < notes[1].Instructions);
        Assert.True(notes[2].Instructions < hits[1].Instructions && hits[1].Instructions < notes[3].Instructions);
        Assert.Equal(Addresses("init"), hits.Select(e => e.Address));

        // Nothing runs between the event that arms them and do_init_module, whose first instruction is the moment.
        List<TraceEvent> returned = Events("load");
        Assert.Equal(4, returned.Count);
        Assert.All(returned, e => Assert.Equal(0ul, e.Registers.Ax));
        Assert.All(Events("init_ret"), e => Assert.Equal(0ul, e.Registers.Ax));
        Assert.True(notes[1].Instructions <= returned[2].Instructions);
    }

    [StockGuestFact]
    public void Probes_in_core_text_are_gone_when_the_module_is_removed_and_last_until_then()
    {
        TraceNote[] notes = [.. NotesOf("submit")];

        Assert.Equal(["armed", "gone", "armed", "gone"], notes.Select(n => n.Text.Split(':')[0]));
        Assert.True(Events("exit")[0].Instructions < notes[1].Instructions);
        Assert.True(Events("exit_ret")[0].Instructions < notes[1].Instructions);
        Assert.All(boots.Trace.Footer!.Probes, p => Assert.Equal(Expected(p.ProbeId), p.State));
        Assert.Equal(["pending", "armed", "gone", "armed", "gone"], Rows("submit").Select(p => p.State));

        string Expected(int id) => boots.Trace.Probes[id].Name switch
        {
            "load" or "exec" or "wait" or "initcall" or "copy" => "armed",
            "nosuch" or "nodata" => "refused",
            "never" => "pending",
            _ => "gone",
        };
    }

    [StockGuestFact]
    public void Data_of_a_module_is_found_again_each_time_it_comes()
    {
        using ToolRun query = ToolRun.Report(
            boots.FolderName, "query", boots.Boot.TracePath, "--db", boots.Boot.TracePath + ".data.db",
            "select distinct number, size from data where kind='pre'", "--format", "csv");

        // The guest loads it with rd_nr=1 rd_size=64.
        Assert.Equal(["number,size", "1,64"], query.Good().Output.Split("\r\n", StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(2, Addresses("data").Count);
        Assert.Equal(boots.Trace.Hits()["submit"], boots.Trace.Hits()["data"]);
    }

    [StockGuestFact]
    public void Unknown_functions_and_data_are_refused_when_the_module_comes()
    {
        Assert.Contains("kprobe-record: warning: probe nosuch could not be registered when its module came: no symbol brd:nosuch", boots.Boot.Error, StringComparison.Ordinal);
        Assert.Contains("probe nodata could not be registered when its module came: no symbol no_such_data", boots.Boot.Error, StringComparison.Ordinal);
        Assert.Equal(
            ["brd:nosuch: no symbol brd:nosuch (-2)", "brd:brd_submit_bio: no symbol no_such_data (-2)"],
            boots.Trace.Notes.Where(n => n.Kind == TraceNoteKind.Refusal).Select(n => n.Text).Distinct());
    }

    [StockGuestFact]
    public void Report_shows_modules_coming_and_going_and_where_probes_were()
    {
        string[] notes = Query("select text from notes where kind='remark' and text like 'module brd%' order by insn");
        Assert.Equal(6, notes.Length);
        Assert.Matches(@"^""?module brd loaded: text 0x[0-9a-f]+-0x[0-9a-f]+, init text 0x[0-9a-f]+-0x[0-9a-f]+""?$", notes[0]);
        Assert.Equal(["module brd initialised; its init text is freed", "module brd unloaded"], notes[1..3]);

        string last = Addresses("submit")[^1].ToString("x", CultureInfo.InvariantCulture);
        Assert.Equal([$"{last},gone"], Query("select printf('%x', address), state from probes where name='submit'"));
        Assert.Equal(["2"], Query("select count(distinct address) from events where name='submit'"));
        Assert.Equal(["4"], Query("select count(*) from text_pokes where address in (select address from events where name='exit')"));
    }

    [StockGuestFact]
    public void Tables_are_those_of_the_module_file()
    {
        string path = Directory.GetFiles(StockGuest.PathOf("modules"), "brd.ko", SearchOption.AllDirectories).Single(f => f.Contains("cloud", StringComparison.Ordinal));
        ElfFile file = ElfFile.Parse(path, File.ReadAllBytes(path));
        GuestModule module = boots.Plain.Modules[2];

        Assert.Equal(12, SizeOf("__bug_table") / module.Tables.BugSites.Addresses.Count);
        Assert.Equal(16, SizeOf("__jump_table") / module.Tables.JumpLabels.Addresses.Count);
        Assert.Equal(8, SizeOf("__static_call_sites") / Math.Max(1, module.Tables.StaticCalls.Addresses.Count));
        Assert.All(module.Tables.BugSites.Addresses, a => Assert.InRange(a, module.CoreText.Start, module.CoreText.Start + Page));

        int SizeOf(string section) => (int)(file.FindSection(section) ?? file.FindSection("." + section[2..]))!.Size;
    }

    private string[] Query(string sql)
    {
        using ToolRun query = ToolRun.Report(
            boots.FolderName, "query", boots.Boot.TracePath, "--db", boots.Boot.TracePath + ".db", sql, "--format", "csv");
        return query.Good().Output.Split("\r\n", StringSplitOptions.RemoveEmptyEntries)[1..];
    }

    private IEnumerable<TraceProbe> Rows(string name) => boots.Trace.ProbeRows.Where(p => p.Name == name);

    /// <summary>The addresses a probe had, in order.</summary>
    private List<ulong> Addresses(string name) => [.. Rows(name).Select(p => p.Address).Where(a => a != 0).Distinct()];

    private IEnumerable<TraceNote> NotesOf(string name) =>
        boots.Trace.Notes.Where(n => n.Kind == TraceNoteKind.ProbeState && boots.Trace.Probes[n.ProbeId].Name == name);

    /// <summary>The entries of a probe or the returns of a return probe.</summary>
    private List<TraceEvent> Events(string name)
    {
        int id = boots.Trace.Probes.Single(p => p.Name == name).Id;
        return [.. boots.Trace.Events.Where(e => e.ProbeId == id && (e.Kind is TraceEventKind.Pre or TraceEventKind.Return))];
    }
}
