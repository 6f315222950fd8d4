using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using KprobeTrace.Tracing;
using Xunit;
using Xunit.Abstractions;

namespace KprobeTrace.Tests.Record;

/// <summary>
/// A stock kernel that loads modules, saved while it boots under probes, goes on in other processes as it went on itself. What is open at a
/// point: calls that return probes wait for, modules that are being loaded, probes that wait for a module or whose text is gone.
/// </summary>
public sealed class SavedGuestTests(ModuleBoots boots, ITestOutputHelper output) : IClassFixture<ModuleBoots>
{
    [StockGuestFact]
    public void Guest_goes_on_in_a_new_process_to_the_same_console_events_and_end()
    {
        Assert.True(boots.Again.Exit == 0, boots.Again.Error);
        History whole = History.Read(boots.Again.TracePath);
        foreach (long at in boots.SavedAt)
        {
            output.WriteLine($"saved at {at}");
            StockBoots.Boot boot = boots.From(at);
            Assert.True(boot.Exit == 0, $"{at}: {boot.Error}");
            History part = History.Read(boot.TracePath);

            Assert.EndsWith(boot.Output, boots.Again.Output, StringComparison.Ordinal);
            AssertTail(whole.Console, part.Console, at);
            AssertTail(whole.Events, part.Events, at);
            AssertTail(whole.Notes, part.Notes, at);
            Assert.Equal(whole.End, part.End);
        }
    }

    /// <summary>Everything of the whole that comes behind a count of instructions, and nothing else; at the count itself both sides are possible.</summary>
    private static void AssertTail(List<(ulong At, string Text)> whole, List<(ulong At, string Text)> part, long at)
    {
        Assert.InRange(part.Count, whole.Count(e => e.At > (ulong)at), whole.Count(e => e.At >= (ulong)at));
        int skipped = whole.Count - part.Count;
        for (int i = 0; i < part.Count; i++)
        {
            Assert.True(whole[skipped + i] == part[i], $"saved at {at}, {i} of {part.Count}:\n{whole[skipped + i]}\n{part[i]}");
        }
    }

    /// <summary>What a trace tells, each piece as all of its bytes, with the count of instructions it came at.</summary>
    private sealed record History
    {
        public List<(ulong At, string Text)> Events { get; } = [];

        public List<(ulong At, string Text)> Console { get; } = [];

        public List<(ulong At, string Text)> Notes { get; } = [];

        public string End { get; private set; } = "";

        public static History Read(string path)
        {
            History history = new();
            using TraceReader reader = TraceReader.Open(path);
            while (reader.ReadChunk())
            {
                switch (reader.Kind)
                {
                    case TraceChunkKind.Events:
                        history.Add(reader);
                        break;
                    case TraceChunkKind.Console:
                        history.Console.AddRange(reader.ConsoleLines.Select(static l => (l.Instructions, $"{l.TimeNs} {Encoding.Latin1.GetString(l.Line.Span)}")));
                        break;
                    case TraceChunkKind.Notes:
                        history.Notes.AddRange(reader.Notes.Select(static n => (n.Instructions, n.ToString())));
                        break;
                }
            }

            TraceFooter footer = reader.Footer!;
            history.End = string.Create(CultureInfo.InvariantCulture, $"{footer.Ended} {footer.Instructions} {footer.TimeNs} {footer.ExitCode} {string.Join(' ', footer.Probes.Select(static p => p.State))}");

            // How many calls were abandoned or had not returned is counted from each trace's own beginning.
            history.Notes.RemoveAll(n => n.At == footer.Instructions);
            return history;
        }

        private void Add(TraceReader reader)
        {
            for (int i = 0; i < reader.Events.Length; i++)
            {
                TraceEvent e = reader.Events[i];
                e.EntrySeq = e.EntrySeq == 0 ? 0 : e.Seq - e.EntrySeq;
                e.Seq = 0;
                string bytes = Convert.ToHexString(MemoryMarshal.AsBytes(new ReadOnlySpan<TraceEvent>(in e)));
                Events.Add((e.Instructions, $"{bytes} {Convert.ToHexString(reader.GetArguments(i))} {Convert.ToHexString(MemoryMarshal.AsBytes(reader.GetStack(i)))}"));
            }
        }
    }
}
