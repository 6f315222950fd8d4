using System.Globalization;
using System.Text.RegularExpressions;
using KprobeTrace.Kprobes;
using KprobeTrace.Tests.Guests;
using Xunit;
using Xunit.Abstractions;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>Probes of ours beside a stock kernel's own: its kprobe events and its function tracer, read back through tracefs.</summary>
public sealed class GuestKprobeTests(GuestKprobeBoots boots, ITestOutputHelper output) : IClassFixture<GuestKprobeBoots>
{
    private const byte Call = 0xE8;
    private const byte Jump = 0xE9;
    private const byte Int3 = 0xCC;

    [StockGuestFact]
    public void Kprobe_of_the_guest_and_ours_at_one_address_count_the_same()
    {
        Dictionary<string, int> profile = [];
        foreach (Match line in Lines(@"GUEST-PROFILE event=(\w+) hits=(\d+) misses=(\d+)"))
        {
            profile.Add(line.Groups[1].Value, Number(line, 2));
            Assert.Equal(0, Number(line, 3));
        }

        Assert.Equal(profile.OrderBy(e => e.Key), HitsWhileArmed().OrderBy(e => e.Key));
        Assert.True(profile["entry"] >= 50);
        Assert.Contains($": {profile.Count} events on an entry, ", File.ReadAllText(Repository.PathOf("docs/kprobes.md")), StringComparison.Ordinal);
        Assert.True(profile["late"] >= 10);
        Assert.True(profile["put"] >= 100);
        Assert.True(profile.Count(e => e.Key.StartsWith("inside", StringComparison.Ordinal) && e.Value >= 50) >= 30);
    }

    [StockGuestFact]
    public void They_do_so_at_calls_of_ftrace_at_int3s_and_at_jumps()
    {
        Assert.Equal([Call], boots.Sites["entry"].HitsWhileArmed.Keys);
        Assert.Equal([Call], boots.Sites["late"].HitsWhileArmed.Keys);
        Assert.Equal([Int3, Jump], boots.Sites["jumped"].HitsWhileArmed.Keys.Order());
        Assert.Contains(boots.Sites, s => s.Key.StartsWith("inside", StringComparison.Ordinal) && s.Value.HitsWhileArmed.Keys.SequenceEqual([Int3]));
        Assert.DoesNotContain("[OPTIMIZED]", States("int3").Values);
        Assert.Equal("[FTRACE]", States("optimized")[GuestKprobePlan.Function + "+0x0"]);
        Assert.Equal("[OPTIMIZED]", StateOf("jumped", "optimized"));
        output.WriteLine(string.Join('\n', boots.Sites.Select(s => $"{s.Key}: {string.Join(", ", s.Value.HitsWhileArmed.Select(h => $"{h.Key:x2} {h.Value}"))}")));
    }

    [StockGuestFact]
    public void Opcode_and_instruction_of_our_probe_follow_what_the_guest_writes()
    {
        foreach (string site in boots.Sites.Keys)
        {
            (byte, int) before = StateOf(site, "int3") == "[FTRACE]" ? (Call, 5) : (Int3, 1);
            (byte, int) after = StateOf(site, "optimized") == "[OPTIMIZED]" ? (Jump, 5) : before;

            Assert.Equal((site, before, false), (site, (boots.Shown["int3"][site].Opcode, boots.Shown["int3"][site].Length), boots.Shown["int3"][site].IsOff));
            Assert.Equal((site, after, false), (site, (boots.Shown["optimized"][site].Opcode, boots.Shown["optimized"][site].Length), boots.Shown["optimized"][site].IsOff));
        }
    }

    [StockGuestFact]
    public void Probe_of_ours_in_the_middle_of_the_guests_jump_is_off_its_boundary_and_silent()
    {
        Assert.False(boots.Shown["int3"]["covered"].IsOff);
        Assert.True(boots.Shown["optimized"]["covered"].IsOff);
        Assert.Equal(boots.Sites["jumped"].HitsWhileArmed[Int3], boots.Covered.HitsWhileArmed.Values.Sum());
    }

    [StockGuestFact]
    public void Return_probes_of_the_guest_and_ours_see_the_same_returns()
    {
        ulong[] guests = [.. Lines("GUEST-RETURN value=0x([0-9a-f]+)").Select(m => ulong.Parse(m.Groups[1].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture))];

        Assert.Equal("0", Lines(@"GUEST-PROFILE overrun=(\d+)").Single().Groups[1].Value);
        Assert.Equal(guests, boots.ReturnValues);
        Assert.Equal(boots.Sites["returns"].HitsWhileArmed.Values.Sum(), guests.Length);
        Assert.True(guests.Distinct().Count() >= 2);
    }

    [StockGuestFact]
    public void Return_probes_of_ours_miss_no_call_that_returns_to_the_guests_trampoline() =>
        Assert.All(boots.Returns, r => Assert.Equal(
            (r.Key, r.Value.Kp.Hits, 0UL, 0UL, 0),
            (r.Key, r.Value.Returns, r.Value.NoReturnAddress, r.Value.Abandoned, r.Value.Open)));

    [StockGuestFact]
    public void Guest_prints_and_executes_the_same_without_probes_of_ours()
    {
        Assert.Contains("INIT-DONE", boots.Console.Probed, StringComparison.Ordinal);
        Assert.Equal(boots.Console.Plain, boots.Console.Probed);
        Assert.Equal(boots.Instructions.Plain, boots.Instructions.Probed);
    }

    [StockGuestFact]
    public void Engine_counts_what_our_probes_count()
    {
        (string Name, Kprobe Probe)[] probes =
            [.. boots.Sites.Select(s => (s.Key, s.Value.Probe)), ("covered", boots.Covered.Probe), .. boots.Traced];

        Assert.All(probes, p => Assert.Equal((p.Name, boots.Counts[p.Probe.Addr]), (p.Name, (long)p.Probe.Hits)));
    }

    [StockGuestFact]
    public void Function_tracer_of_the_guest_counts_what_our_probes_count()
    {
        Dictionary<string, int> guests = Lines(@"GUEST-TRACED function=(\S+) hits=(\d+)").ToDictionary(m => m.Groups[1].Value, m => Number(m, 2));

        Assert.Equal("0", Lines(@"GUEST-TRACED overrun=(\d+)").Single().Groups[1].Value);
        Assert.Equal(2, boots.Marks);
        Assert.Equal(guests.OrderBy(f => f.Key), boots.TracedHits.OrderBy(f => f.Key));
        Assert.True(guests.Count >= 20, $"only {guests.Count} functions");
        Assert.Contains(
            $"functions called there, about {Math.Round(guests.Count / 10.0) * 10}, are equal", File.ReadAllText(Repository.PathOf("docs/kprobes.md")), StringComparison.Ordinal);
        output.WriteLine($"{guests.Count} functions, {guests.Values.Sum()} calls");
    }

    private Dictionary<string, int> HitsWhileArmed() => boots.Sites.ToDictionary(s => s.Key, s => s.Value.HitsWhileArmed.Values.Sum());

    /// <summary>What the guest says of its probes in a phase, by their places.</summary>
    private Dictionary<string, string> States(string phase) =>
        Lines($@"GUEST-PROBE phase={phase} type=\w place=(\S+) state=(\S*)").ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);

    private string StateOf(string site, string phase) => States(phase)[boots.Plan.PlaceOf(site)];

    private MatchCollection Lines(string pattern) => Regex.Matches(boots.Console.Probed, pattern);

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);
}
