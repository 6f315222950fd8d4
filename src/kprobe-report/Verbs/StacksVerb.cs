using System.CommandLine;
using System.Globalization;
using System.Text;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Tools;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>stacks</c>: call stacks as a tree or folded.</summary>
internal static class StacksVerb
{
    internal static Command Create(ReportConsole console)
    {
        Argument<string> source = SharedOptions.Source();
        Option<string?> database = SharedOptions.Database();
        Option<bool> folded = new("--folded") { Description = "One line a stack, as flame graph tools read it." };
        Option<double> least = new Option<double>("--min")
        {
            Description = "Leave out branches below so many per cent of all hits (0.5).",
            HelpName = "PERCENT",
            DefaultValueFactory = static _ => 0.5,
        }.Real(0, 100);
        Option<long> memory = SharedOptions.Memory();
        EventFilterOptions filter = new();
        Command command = new("stacks", SharedOptions.Describe(
            "Call stacks of hits, added up. Without recorded stacks the callers of the probed functions.",
            "stacks boot.mpk --probe open",
            "stacks boot.mpk --folded > boot.folded"))
        {
            source, database, folded, least, memory,
        };
        filter.AddTo(command);
        command.SetAction((result, cancellation) =>
        {
            using TraceHistory history = SharedOptions.OpenForQuery(
                console, result.GetRequiredValue(source), result.GetValue(database), result.GetValue(memory), cancellation);
            StackNode root = StackQuery.Read(history, filter.Read(result), cancellation);
            using Utf8Output output = console.Results();
            if (root.Count == 0)
            {
                SharedOptions.SayNothing(console, output, "no event matches");
            }
            else if (result.GetValue(folded))
            {
                PrintFolded(root, [], output);
            }
            else
            {
                PrintTree(root, root.Count, result.GetValue(least), 0, output);
            }

            return Task.FromResult((int)ExitCode.Success);
        });
        return command;
    }

    private static void PrintFolded(StackNode node, List<string> path, Utf8Output output)
    {
        foreach (StackNode child in node.Children)
        {
            // A semicolon parts frames and a blank the count: neither may stand in a name.
            path.Add(child.Name.Replace(';', ':').Replace('\n', ' '));
            if (child.Self > 0)
            {
                for (int i = 0; i < path.Count; i++)
                {
                    output.Write(i > 0 ? ";"u8 : ""u8);
                    output.WriteName(Encoding.UTF8.GetBytes(path[i]));
                }

                output.WriteByte((byte)' ');
                output.WriteInteger(child.Self);
                output.WriteByte((byte)'\n');
            }

            PrintFolded(child, path, output);
            path.RemoveAt(path.Count - 1);
        }
    }

    private static void PrintTree(StackNode node, long all, double least, int depth, Utf8Output output)
    {
        double percent = 100.0 * node.Count / all;
        if (percent < least)
        {
            return;
        }

        output.Write(string.Create(CultureInfo.InvariantCulture, $"{percent,6:0.0} % {node.Count,10}  "));
        output.WriteBlanks(2 * depth);
        output.WriteName(Encoding.UTF8.GetBytes(node.Name));
        output.WriteByte((byte)'\n');
        foreach (StackNode child in node.Children.OrderByDescending(static c => c.Count).ThenBy(static c => c.Name, StringComparer.Ordinal))
        {
            PrintTree(child, all, least, depth + 1, output);
        }
    }
}
