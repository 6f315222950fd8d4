using System.Text;
using KprobeTrace.Probes;
using KprobeTrace.Recording;
using Xunit;

namespace KprobeTrace.Tests.Recording;

/// <summary>Files of probe definitions, and what is said of where a definition stands.</summary>
public sealed class ProbeFileTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    /// <summary>Texts and the definitions in them, each behind the number of its line.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("\n \n\t\n")]
    [InlineData("# nothing\n#\n   # nothing")]
    [InlineData("p a", "1:p a")]
    [InlineData("p a\n", "1:p a")]
    [InlineData("p a\r\np b\r\n", "1:p a", "2:p b")]
    [InlineData("\n\np a\n\n  p b  \n", "3:p a", "5:p b")]
    [InlineData("p a # why\n#p b\np c#d # e", "1:p a", "3:p c")]
    [InlineData("\tp\ta\t", "1:p\ta")]
    [InlineData("#p a\np b", "2:p b")]
    public void A_line_is_a_definition_unless_it_is_blank_or_a_comment(string text, params string[] expected)
    {
        File.WriteAllText(_file, text);

        List<ProbeLine> lines = ProbeFile.Read(_file);

        Assert.Equal(expected, lines.Select(l => $"{l.Number}:{l.Definition}"));
        Assert.All(lines, l => Assert.Equal((_file, $"{_file}:{l.Number}"), (l.File, l.Source)));
    }

    [Fact]
    public void Mark_of_UTF_8_at_the_beginning_is_no_part_of_a_definition()
    {
        File.WriteAllText(_file, "p größe\n", new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));

        Assert.Equal("p größe", Assert.Single(ProbeFile.Read(_file)).Definition);
    }

    [Fact]
    public void What_is_no_text_is_refused()
    {
        File.WriteAllBytes(_file, [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0, .. new byte[44]]);

        Assert.Contains("--probe-file takes text", Assert.Throws<KprobeTraceException>(() => ProbeFile.Read(_file)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void File_has_64_MiB_at_most(int more, bool read)
    {
        using (FileStream file = File.OpenWrite(_file))
        {
            byte[] comment = [.. "#"u8, .. Enumerable.Repeat((byte)' ', 1022), (byte)'\n'];
            for (int i = 0; i < 64 << 10; i++)
            {
                file.Write(comment);
            }

            file.Write(new byte[] { (byte)'\n' }.AsSpan(0, more));
        }

        if (read)
        {
            Assert.Empty(ProbeFile.Read(_file));
        }
        else
        {
            Assert.Contains("has more than the 67108864 bytes", Assert.Throws<KprobeTraceException>(() => ProbeFile.Read(_file)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Definition_of_no_file_has_no_source()
    {
        ProbeLine line = new("p a");

        Assert.Equal(("p a", null, 0, ""), (line.Definition, line.File, line.Number, line.Source));
    }

    [Theory]
    [InlineData(null, 0, "p short", "p short")]
    [InlineData("probes", 7, "p short", "probes:7: p short")]
    [InlineData(null, 0, "LONG", "p xxxxxx…xxxxxxx")]
    [InlineData("probes", 1234, "LONG", "probes:1234: p xxxxxx…xxxxxxx")]
    public void Refused_definition_is_named_by_its_place_and_a_long_one_shortened(string? file, int number, string definition, string place)
    {
        string text = definition == "LONG" ? "p " + new string('x', 300) : definition;
        string expected = place.Replace("xxxxxx…xxxxxxx", new string('x', 97) + "…" + new string('x', 100), StringComparison.Ordinal);

        SkippedProbe skipped = new(new ProbeLine(text, file, number), new ProbeError(ProbeErrorCode.BadProbeAddress, ProbeErrno.NoEntry, text, 0, null));

        Assert.Equal(expected, skipped.Place);
    }
}
