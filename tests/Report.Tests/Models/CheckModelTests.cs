using System.Globalization;
using CsCheck;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary><c>check</c>, and what is imported, of whole and damaged traces against the frames that are left.</summary>
public sealed class CheckModelTests
{
    [Fact]
    public void Whole_traces_are_whole() => HistoryCheck.Each(
        60, HistoryCheck.One(HistoryGen.Plan),
        static database =>
        {
            History history = database.Runs[0].History;
            byte[] trace = File.ReadAllBytes(database.Source);
            List<HistoryFrame> frames = HistoryFrame.Of(trace);
            string counted = Counted("run-1.mpk", trace, frames);
            (int exit, string output, string error) = Tool.Run("check", database.Source);

            Assert.Equal(history.Events.Count, frames.Sum(static f => f.HasEvents ? f.Count : 0));
            if (history.Footer is { } footer)
            {
                Assert.Equal((0, $"{counted}, whole; the guest ended by {footer.Ended}\n", ""), (exit, output, error));
            }
            else
            {
                Assert.Equal((1, $"kprobe-report: {database.Source}: no footer, the trace was cut off; all the rest can be imported\n"), (exit, error));
                Assert.StartsWith(counted + "\n", output, StringComparison.Ordinal);
            }
        });

    [Fact]
    public void What_stands_in_whole_frames_is_left_of_a_damaged_trace() => HistoryCheck.Ask(
        80, HistoryCheck.One(HistoryGen.Plan), 3,
        static runs => Gen.Select(Gen.Enum<Damage>(), Gen.Int[0, 1 << 20], Gen.Int[0, 1 << 20], Gen.Int[0, 7]),
        static (database, damage) =>
        {
            (Damage kind, int which, int where, int bit) = damage;
            byte[] trace = File.ReadAllBytes(database.Source);
            List<HistoryFrame> frames = HistoryFrame.Of(trace);
            if (frames.Count < 2)
            {
                return;
            }

            // A trace without its header is not asked about here.
            HistoryFrame hit = frames[1 + (which % (frames.Count - 1))];
            (byte[] left, List<HistoryFrame> whole) = Damaged(kind, trace, frames, hit, where, bit);
            string path = database[$"{kind}-{which}-{where}.mpk"];
            File.WriteAllBytes(path, left);
            (int exit, string output, string error) = Tool.Run("check", path);

            ulong[] events = [.. whole.Where(static f => f.HasEvents).SelectMany(static f => Enumerable.Range(0, (int)f.Count).Select(i => f.First + (ulong)i))];
            bool isWhole = whole.Count == frames.Count && kind is not (Damage.Twice or Damage.Rubbish) && whole[^1].Kind == 127;
            Assert.Equal(isWhole ? 0 : 1, exit);
            Assert.StartsWith(Counted(Path.GetFileName(path), left, whole), output, StringComparison.Ordinal);
            Assert.Equal(isWhole, error.Length == 0);
            Assert.Equal(whole[^1].Kind != 127, error.Contains("no footer, the trace was cut off", StringComparison.Ordinal));
            bool isGap = hit.HasEvents && kind is Damage.Flip or Damage.Gone && frames.SkipWhile(f => f != hit).Skip(1).Any();
            string missing = string.Create(CultureInfo.InvariantCulture, $"  events {hit.First:N0} to {hit.First + hit.Count - 1:N0} are missing\n");
            Assert.Equal(isGap && hit.HasEvents, output.Contains(missing, StringComparison.Ordinal));
            Assert.Equal(isGap && hit.HasEvents, error.Contains(string.Create(CultureInfo.InvariantCulture, $"{hit.Count:N0} events lost"), StringComparison.Ordinal));
            Assert.Equal(events.Select(static n => n.ToString(CultureInfo.InvariantCulture)), Tool.Rows(path, "SELECT seq FROM events ORDER BY seq"));
            Assert.Equal([$"{(isWhole ? 1 : 0)},{events.Length}"], Tool.Rows(path, "SELECT complete, events FROM runs"));
            Assert.Equal(["ok"], Tool.Rows(path, "SELECT * FROM pragma_integrity_check"));
        });

    private static (byte[] Trace, List<HistoryFrame> Whole) Damaged(Damage kind, byte[] trace, List<HistoryFrame> frames, HistoryFrame hit, int where, int bit)
    {
        byte[] before = trace[..hit.Offset];
        byte[] frame = trace[hit.Offset..(hit.Offset + hit.Length)];
        byte[] behind = trace[(hit.Offset + hit.Length)..];
        List<HistoryFrame> others = [.. frames.Where(f => f != hit)];
        switch (kind)
        {
            case Damage.Cut:
                return ([.. before, .. frame[..(where % frame.Length)]], [.. frames.TakeWhile(f => f != hit)]);
            case Damage.Gone:
                return ([.. before, .. behind], others);
            case Damage.Twice:
                return ([.. before, .. frame, .. frame, .. behind], frames);
            case Damage.Rubbish:
                return ([.. before, .. Enumerable.Repeat((byte)bit, 1 + (where % 100)), .. frame, .. behind], frames);
            default:
                frame[where % frame.Length] ^= (byte)(1 << bit);
                return ([.. before, .. frame, .. behind], others);
        }
    }

    private static string Counted(string name, byte[] trace, List<HistoryFrame> frames) => string.Create(
        CultureInfo.InvariantCulture,
        $"{name}: {trace.Length:N0} bytes, {frames.Count(static f => f.IsChunk):N0} chunks, {frames.Sum(static f => f.HasEvents ? f.Count : 0):N0} events");

    /// <summary>What has happened to a trace.</summary>
    private enum Damage
    {
        /// <summary>One bit of a frame is another.</summary>
        Flip,

        /// <summary>It ends within a frame.</summary>
        Cut,

        /// <summary>A frame is not there.</summary>
        Gone,

        /// <summary>A frame is there twice.</summary>
        Twice,

        /// <summary>Bytes of nothing stand before a frame.</summary>
        Rubbish,
    }
}
