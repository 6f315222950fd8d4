using KprobeTrace.Tests.Guests;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

/// <summary>The format as its document says it: read by a program that shares nothing with ours.</summary>
public sealed class ForeignReaderTests
{
    [PythonReaderFact]
    public void Python_reads_every_kernel_like_event_as_it_was_written() =>
        RequireSame(RecordedTrace.Synthetic(3000, eventsPerChunk: 700));

    [PythonReaderFact]
    public void Python_reads_every_extreme_event_as_it_was_written() =>
        RequireSame(RecordedTrace.Extreme(1500, eventsPerChunk: 400));

    private static void RequireSame(RecordedTrace trace)
    {
        string python = PythonReaderFactAttribute.FindPython()
            ?? throw new InvalidOperationException("install python3-msgpack and python3-zstandard");
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, trace.Bytes);

            (int exit, string output, string error) = PythonReaderFactAttribute.Run(python, Repository.PathOf("docs/read_trace.py"), path);

            Assert.True(exit == 0, error);
            string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(trace.Events.Count, lines.Length);
            for (int i = 0; i < lines.Length; i++)
            {
                Assert.Equal(Line(trace.Events[i].Event, trace.Events[i].Arguments, trace.Events[i].Stack), lines[i]);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static string Line(TraceEvent e, byte[] arguments, ulong[] stack)
    {
        IEnumerable<string> registers = e.Registers.AsReadOnlySpan().ToArray()
            .Select((value, i) => $"{TraceRegisters.Names[i]}={value:x}");
        int parts = (int)e.Parts | (arguments.Length > 0 ? (int)TraceEventParts.Arguments : 0);
        return string.Join(' ', registers)
            + $" address={e.Address:x} caller={e.Caller:x} cr2={e.Cr2:x} error={e.ErrorCode:x}"
            + $" seq={e.Seq} time={e.TimeNs} insn={e.Instructions} entry={e.EntrySeq} entry_time={e.EntryTimeNs}"
            + $" pid={e.Pid} probe={e.ProbeId} cpu={e.Cpu} kind={(int)e.Kind} vector={e.Vector} parts={parts}"
            + $" comm={Convert.ToHexStringLower(e.Comm.Bytes)} args={Arguments(arguments)}"
            + $" stack={string.Join(',', stack.Select(a => a.ToString("x", null)))}";
    }

    /// <summary>An argument array in the script's notation, read by the MessagePack library.</summary>
    private static string Arguments(byte[] arguments)
    {
        if (arguments.Length == 0)
        {
            return "";
        }

        MessagePack.MessagePackReader reader = new(arguments);
        return Text(ref reader);
    }

    private static string Text(ref MessagePack.MessagePackReader reader)
    {
        switch (reader.NextMessagePackType)
        {
            case MessagePack.MessagePackType.Nil:
                reader.ReadNil();
                return "nil";
            case MessagePack.MessagePackType.Boolean:
                return reader.ReadBoolean() ? "true" : "false";
            case MessagePack.MessagePackType.Integer:
                bool negative = reader.NextCode is >= 0xD0 and <= 0xD3 or >= 0xE0;
                return negative ? $"{reader.ReadInt64()}" : $"{reader.ReadUInt64()}";
            case MessagePack.MessagePackType.String:
                return "str:" + Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(reader.ReadString()!));
            case MessagePack.MessagePackType.Binary:
                return "bin:" + Convert.ToHexStringLower(System.Buffers.BuffersExtensions.ToArray(reader.ReadBytes()!.Value));
            default:
                List<string> items = [];
                for (int left = reader.ReadArrayHeader(); left > 0; left--)
                {
                    items.Add(Text(ref reader));
                }

                return $"[{string.Join(',', items)}]";
        }
    }
}
