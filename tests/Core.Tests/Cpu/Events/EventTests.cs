using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Events;

/// <summary>
/// What an event changes, and that it changes nothing else: the whole state of the processor and of memory is compared with
/// what it was before the event. The values were read beside the manuals (Intel SDM vol. 3A §6, vol. 3B §18; AMD APM vol. 2 §8, §13).
/// </summary>
public sealed class EventTests
{
    private const string Table = "tests/Core.Tests/Cpu/Tables/events.txt";

    private static readonly Dictionary<string, List<string>> _rows = Read();

    public static TheoryData<string> Names() => [.. EventPrograms.All.Select(static program => program.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Event_changes_what_the_table_says_and_nothing_else(string name)
    {
        EventProgram program = Assert.Single(EventPrograms.All, program => program.Name == name);

        Assert.Equal(_rows[name], program.Changes());
    }

    [Fact]
    public void Every_section_of_the_table_has_its_event() =>
        Assert.Equal(EventPrograms.All.Select(static program => program.Name).Order(), _rows.Keys.Order());

    private static Dictionary<string, List<string>> Read()
    {
        string path = Repository.PathOf(Table);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            // What the machine does now, to be read beside the manuals.
            IEnumerable<string> head = [.. File.ReadLines(path).TakeWhile(static line => line.StartsWith('#'))];
            File.WriteAllLines(path, head.Concat(EventPrograms.All.SelectMany(static program => program.Changes().Prepend("\n== " + program.Name))));
        }

        return Sections(File.ReadLines(path));
    }

    /// <summary>Sections of a name behind <c>==</c> and the changes under it, one a line.</summary>
    private static Dictionary<string, List<string>> Sections(IEnumerable<string> lines)
    {
        Dictionary<string, List<string>> sections = [];
        List<string> changes = [];
        foreach (string line in lines.Where(static line => line.Length > 0 && line[0] != '#'))
        {
            if (line.StartsWith("== ", StringComparison.Ordinal))
            {
                sections.Add(line[3..], changes = []);
            }
            else
            {
                changes.Add(line);
            }
        }

        return sections;
    }
}
