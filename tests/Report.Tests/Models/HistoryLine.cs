using System.Globalization;
using System.Text;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>The line of an event as docs/report.md has it: that of ftrace's <c>trace</c> file.</summary>
internal static class HistoryLine
{
    private const ulong InterruptFlag = 1 << 9;

    /// <summary>The line, without its end.</summary>
    internal static string Of(HistoryRun run, HistoryRow row, bool nanoseconds)
    {
        HistoryEvent e = row.Event;
        string comm = Visible(row.Comm ?? "<...>");
        bool isOff = e.Registers is { } registers && (registers[17] & InterruptFlag) == 0;
        (ulong seconds, ulong rest) = Math.DivRem(e.TimeNs, 1_000_000_000);
        string time = nanoseconds ? rest.ToString("d9", CultureInfo.InvariantCulture) : (rest / 1000).ToString("d6", CultureInfo.InvariantCulture);
        string padding = new(' ', Math.Max(0, 16 - Encoding.UTF8.GetByteCount(comm)));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{padding}{comm}-{row.Pid ?? 0,-7} [{e.Cpu:d3}] {(isOff ? 'd' : '.')}.... {seconds}.{time}: {Visible(row.Name)}: {Body(run, row)}");
    }

    /// <summary>What stands behind the event's name.</summary>
    internal static string Body(HistoryRun run, HistoryRow row)
    {
        HistoryEvent e = row.Event;
        string place = row.Kind == "ret"
            ? $"({(e.Caller == 0 ? "?" : Place(run, e.Caller))} <- {Visible(row.Symbol)})"
            : $"({Place(run, (ulong)row.Address)})";
        string after = row.Kind switch
        {
            "post" => " post",
            "fault" => $" fault vector={e.Vector} error=0x{e.ErrorCode:x} cr2=0x{e.Cr2:x} {(e.IsHandled ? "handled" : "unhandled")}",
            _ => "",
        };
        IEnumerable<string> arguments = e.Arguments is null ? [] : e.Probe.Definition.Arguments.Zip(
            e.Arguments, (a, v) => $" {a.Name}={Value(run, a.Type, v)}");
        return place + after + string.Concat(arguments);
    }

    /// <summary>Control characters as <c>\n</c>, <c>\t</c>, <c>\r</c>, <c>\xNN</c>.</summary>
    internal static string Visible(string text) => string.Concat(text.Select(static c => c switch
    {
        '\n' => "\\n",
        '\t' => "\\t",
        '\r' => "\\r",
        < ' ' or (>= '\u007F' and < '\u00A0') => $"\\x{(int)c:x2}",
        _ => c.ToString(),
    }));

    /// <summary>An address as <c>symbol+0xoffset/0xsize [module]</c>, as a number where it has no symbol.</summary>
    private static string Place(HistoryRun run, ulong address) => run.Find(address) is not { } f
        ? $"0x{address:x}"
        : $"{Visible(f.Name)}+0x{address - f.Address:x}/0x{f.Size:x}{(f.Module.Length > 0 ? $" [{Visible(f.Module)}]" : "")}";

    private static string Value(HistoryRun run, string type, object? value)
    {
        if (value is null)
        {
            return "(fault)";
        }

        if (value is object?[] list)
        {
            return "{" + string.Join(',', list.Select(v => Value(run, type, v))) + "}";
        }

        if (value is string or byte[])
        {
            return Visible(HistoryJson.Of(value));
        }

        ulong number = value is long n ? (ulong)n : (ulong)value;
        return type switch
        {
            "char" => $"'{Visible(((char)number).ToString())}'",
            _ when type.StartsWith("symbol", StringComparison.Ordinal) => Place(run, number),
            ['s', ..] => ((long)number).ToString(CultureInfo.InvariantCulture),
            ['u' or 'b', ..] => number.ToString(CultureInfo.InvariantCulture),
            _ => $"0x{number:x}",
        };
    }
}
