using System.Globalization;
using CsCheck;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary><c>who</c> with all its options against looking at every register.</summary>
public sealed class WhoModelTests
{
    [Fact]
    public void Who_finds_every_event_that_held_a_value() => HistoryCheck.Ask(
        100, HistoryGen.Plans, 6,
        static runs =>
            from value in HistoryValues.Word
            from form in Gen.Int[0, 2]
            from registers in Gen.Frequency((2, Gen.Const(0)), (1, Gen.Int[1, 3])).SelectMany(static n => Gen.OneOf(TraceRegisters.Names.ToArray()).Array[n])
            from limit in Gen.Int[-2, 3]
            from run in Gen.Int[0, runs.Count]
            select new Question(value, form, registers, limit < 0 ? null : limit, run),
        static (database, question) =>
        {
            (int exit, string output, string error) = Tool.Run(["who", database.Source, .. question.Options]);

            string[] wanted = question.Registers.Length == 0 ? TraceRegisters.Names.ToArray() : [.. question.Registers.Distinct()];
            string[] lines =
            [
                .. from run in database.Runs
                   where question.Run == 0 || run.Run == question.Run
                   from row in run.Rows
                   let held = string.Join(',', wanted.Where(r => row.Event.Registers?[TraceRegisters.Names.IndexOf(r)] == question.Value))
                   where held.Length > 0
                   select $"{row.Seq,10} {held,-8} {HistoryLine.Of(run, row, nanoseconds: true)}\n",
            ];
            int limit = question.Limit switch { null => 100, 0 => int.MaxValue, { } n => n };
            string said = lines.Length == 0 ? "no event held that value in a register\n" : lines.Length > limit ? $"stopped after {limit} events; --limit 0 finds all\n" : "";
            Assert.Equal((0, said.Length == 0 ? "" : "kprobe-report: " + said), (exit, error));
            Assert.Equal(string.Concat(lines.Take(limit)), output);
        });

    private sealed record Question(ulong Value, int Form, string[] Registers, int? Limit, int Run)
    {
        internal string[] Options =>
        [
            Form switch { 0 => $"0x{Value:x}", 1 => Value.ToString(CultureInfo.InvariantCulture), _ => $"0X{Value:X}" },
            .. Registers.SelectMany(static (r, i) => (string[])["--register", i == 1 ? "%" + r : r]),
            .. Limit is { } n ? ["--limit", n.ToString(CultureInfo.InvariantCulture)] : (string[])[],
            .. Run == 0 ? [] : (string[])["--run", Run.ToString(CultureInfo.InvariantCulture)],
        ];

        public override string ToString() => "who " + string.Join(' ', Options);
    }
}
