using System.Globalization;
using System.Text;
using KprobeTrace.Tracing;

namespace KprobeTrace.Export;

/// <summary>The shape of an event in a CTF trace: events of one class have the same fields.</summary>
/// <param name="Probe">Whose event it is.</param>
/// <param name="Kind">Number of its kind.</param>
/// <param name="HasTask">The task is known; its id and name are the event's own context.</param>
/// <param name="HasFault">It says what the processor's fault was.</param>
/// <param name="Arguments">Which arguments it has.</param>
internal readonly record struct CtfEventClass(
    ExportProbe Probe, int Kind, bool HasTask, bool HasFault, CtfArguments Arguments)
{
    /// <summary>The event's name; a kind that ftrace does not have stands behind a colon, which no name holds.</summary>
    internal string Name => TraceEventKinds.IsHit((TraceEventKind)Kind) ? Probe.Name : $"{Probe.Name}:{TraceEventKinds.Names[Kind]}";

    /// <inheritdoc/>
    public bool Equals(CtfEventClass other) =>
        Probe.Id == other.Probe.Id && Kind == other.Kind && HasTask == other.HasTask && HasFault == other.HasFault
        && Arguments == other.Arguments;

    /// <inheritdoc/>
    public override int GetHashCode() =>
        HashCode.Combine(Probe.Id, (Kind << 4) | ((int)Arguments << 2) | (HasTask ? 2 : 0) | (HasFault ? 1 : 0));

    /// <summary>Which arguments an event has whose values were read.</summary>
    internal static CtfArguments ShapeOf(ExportProbe probe, ArgumentValues values)
    {
        if (values.Count == 0 || probe.Arguments.Count == 0)
        {
            return CtfArguments.None;
        }

        for (int i = 0; i < probe.Arguments.Count; i++)
        {
            if (probe.Arguments[i].Kind.IsNumber ? values.Number(i) is null : values.Text(i) is null)
            {
                return CtfArguments.Some;
            }
        }

        return CtfArguments.All;
    }

    /// <summary>Writes the declaration of the class; its name comes quoted.</summary>
    internal void Declare(StringBuilder text, uint id, string quotedName)
    {
        _ = text.Append(CultureInfo.InvariantCulture, $"event {{\n    id = {id};\n    name = {quotedName};\n    stream_id = 0;\n");
        if (HasTask)
        {
            _ = text.Append("    context := struct { int32_t _pid; string _comm; };\n");
        }

        _ = text.Append("    fields := struct {\n");
        if (HasFault)
        {
            _ = text.Append("        uint8_t _vector;\n        uint32_t _error_code;\n        xint64_t _cr2;\n        uint8_t _handled;\n");
        }

        if (Arguments != CtfArguments.None)
        {
            foreach (TraceArgument argument in Probe.Arguments)
            {
                DeclareArgument(text, argument);
            }
        }

        _ = text.Append("    };\n};\n");
    }

    private void DeclareArgument(StringBuilder text, TraceArgument argument)
    {
        string type = argument.Kind switch
        {
            { IsNumber: false } => "string",
            { IsAddress: true } => "xint64_t",
            { Style: ArgumentStyle.Unsigned } => "uint64_t",
            _ => "int64_t",
        };
        string name = "_" + argument.Name;
        if (Arguments == CtfArguments.All)
        {
            _ = text.Append(CultureInfo.InvariantCulture, $"        {type} {name};\n");
            return;
        }

        string tag = TagOf(argument.Name);
        _ = text.Append(CultureInfo.InvariantCulture, $$"""
                    enum : uint8_t { unreadable = 0, value = 1 } {{tag}};
                    variant <{{tag}}> { struct { } unreadable; {{type}} value; } {{name}};

            """);
    }

    /// <summary>A name for the field that says whether an argument is there, which no argument has.</summary>
    private string TagOf(string argument)
    {
        string tag = "is_" + argument;
        while (Probe.Arguments.Any(a => a.Name == tag))
        {
            tag += "_";
        }

        return "_" + tag;
    }
}
