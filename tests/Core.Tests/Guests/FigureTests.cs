using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using KprobeTrace.Files;
using Xunit;

namespace KprobeTrace.Tests.Guests;

/// <summary>Figures that the pages print are those of the code: figures.txt says which is which.</summary>
public sealed partial class FigureTests
{
    private const string Number = @"(?<number>0x[0-9A-Fa-f]+|2\^\d+|\d[\d,]*)(?<unit> (?:KiB|MiB|GiB))?";

    public static TheoryData<string, string, string> Figures()
    {
        TheoryData<string, string, string> data = [];
        foreach (string line in File.ReadLines(Repository.PathOf("tests/Core.Tests/Guests/figures.txt")).Where(static l => l.Length > 0 && l[0] != '#'))
        {
            string[] parts = line.Split(" | ");
            data.Add(parts[0], parts[1], parts[2]);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Figures))]
    public void A_page_and_the_code_have_the_same_number(string page, string sentence, string source)
    {
        string text = Blanks().Replace(File.ReadAllText(Repository.PathOf(page)), " ");
        string pattern = Regex.Escape(sentence.Replace("\\", "", StringComparison.Ordinal)).Replace("\\{}", Number, StringComparison.Ordinal);

        Match found = Regex.Match(text, pattern);

        Assert.True(found.Success, $"{page} has no sentence like: {sentence}");
        Assert.Equal(ValueOf(source), Parse(found.Groups["number"].Value, found.Groups["unit"].Value.Trim()));
    }

    private static ulong Parse(string number, string unit)
    {
        ulong value = number.StartsWith("0x", StringComparison.Ordinal) ? ulong.Parse(number[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
            : number.StartsWith("2^", StringComparison.Ordinal) ? 1UL << int.Parse(number[2..], CultureInfo.InvariantCulture)
            : ulong.Parse(number, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
        return value << unit switch { "KiB" => 10, "MiB" => 20, "GiB" => 30, _ => 0 };
    }

    private static ulong ValueOf(string source)
    {
        string[] words = source.Split(' ', 2);
        return words[0] switch
        {
            "sizeof" => SizeOf(TypeNamed(words[1])),
            "rows" => (ulong)File.ReadLines(Repository.PathOf(words[1])).Count(static l => l.Length > 0 && l[0] != '#'),
            _ => source.Split(" * ").Aggregate(1UL, static (product, field) => product * ConstantNamed(field)),
        };
    }

    private static ulong SizeOf(Type type) =>
        (ulong)(int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    private static ulong ConstantNamed(string name)
    {
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        FieldInfo? field = TypeNamed(name[..dot]).GetField(name[(dot + 1)..], BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic);
        Assert.True(field is { IsLiteral: true }, $"{name} is no constant");
        return Convert.ToUInt64(field!.GetRawConstantValue(), CultureInfo.InvariantCulture);
    }

    private static Type TypeNamed(string name) => typeof(FileKind).Assembly.GetTypes().Where(t => t.Name == name).OrderBy(t => t.IsNested).First();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
