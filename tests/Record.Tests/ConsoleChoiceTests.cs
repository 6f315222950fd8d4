using KprobeTrace.Files;
using KprobeTrace.Record;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Where the guest's console goes.</summary>
public sealed class ConsoleChoiceTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("none", false)]
    [InlineData("none", true)]
    [InlineData(null, true)]
    public void Nowhere_unless_it_is_wanted(string? target, bool offByDefault) => Assert.Null(new ConsoleChoice(target, offByDefault).Open(RecordRun.Nowhere));

    [Theory]
    [InlineData(null, false)]
    [InlineData("-", false)]
    [InlineData("-", true)]
    [InlineData("/dev/stdout", true)]
    public void To_standard_output_where_that_is_free_or_named(string? target, bool offByDefault) =>
        Assert.Same(RecordRun.Nowhere.Output, new ConsoleChoice(target, offByDefault).Open(RecordRun.Nowhere));

    [Fact]
    public void File_is_emptied_and_written_without_a_buffer()
    {
        File.WriteAllText(_folder["console"], "what was there before");

        using (Stream? console = new ConsoleChoice(_folder["console"], OffByDefault: true).Open(RecordRun.Nowhere))
        {
            Assert.Equal("", File.ReadAllText(_folder["console"]));
            console!.Write("now"u8);
            Assert.Equal("now", File.ReadAllText(_folder["console"]));
        }

        Assert.Equal("now", File.ReadAllText(_folder["console"]));
    }

    [Theory]
    [InlineData("", "the name of the console's file is empty; name a file")]
    [InlineData("FOLDER", "--console FOLDER: is a directory; name a file")]
    [InlineData("FOLDER/no/file", "--console FOLDER/no/file: its folder does not exist; name another file")]
    public void Name_that_is_no_files_is_refused(string name, string message)
    {
        KprobeTraceException e = Assert.Throws<KprobeTraceException>(
            () => new ConsoleChoice(name.Replace("FOLDER", _folder.Name, StringComparison.Ordinal), OffByDefault: false).Open(RecordRun.Nowhere));

        Assert.Equal(message.Replace("FOLDER", _folder.Name, StringComparison.Ordinal), e.Message);
    }

    [Fact]
    public void Device_is_written_as_it_is()
    {
        using Stream? console = new ConsoleChoice("/dev/null", OffByDefault: false).Open(RecordRun.Nowhere);
        using Stream? other = new ConsoleChoice("/dev/null", OffByDefault: false).Open(RecordRun.Nowhere);

        Assert.True(console!.CanWrite && other!.CanWrite && !OutputFile.IsOrdinary("/dev/null"));
    }
}
