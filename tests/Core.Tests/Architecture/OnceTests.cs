using System.Text.RegularExpressions;
using KprobeTrace.Cpu;
using KprobeTrace.Tests.Guests;
using KprobeTrace.Tracing;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace KprobeTrace.Tests.Architecture;

/// <summary>What stands in one place of the sources, and would go wrong in a second.</summary>
public sealed partial class OnceTests
{
    /// <remarks>The head of a frame has every value at a fixed place; an integer of a column is written in place.</remarks>
    [Fact]
    public void MessagePacks_type_bytes_have_the_packages_names_and_are_known_to_its_writer_and_its_reader()
    {
        string[] folders = ["Probes", "Session", "Recording", "Tracing", "Store"];
        Assert.Equal(
            [],
            FilesWith<LiteralExpressionSyntax>(static literal => literal.IsKind(SyntaxKind.NumericLiteralExpression) && TypeByte().IsMatch(literal.Token.Text))
                .Where(file => folders.Contains(file.Split('/')[0])));
        Assert.Equal(
            ["Tracing/FrameHead.cs", "Tracing/MessagePackCursor.cs", "Tracing/MessagePackInteger.cs", "Tracing/MessagePackSink.cs"],
            FilesWith<IdentifierNameSyntax>(static name => name.Identifier.Text == "MessagePackCode"));
    }

    /// <remarks>One of the words may stand anywhere: Linux has members that are called so.</remarks>
    [Fact]
    public void Kinds_of_events_are_named_once() =>
        Assert.Equal(["Core/Tracing/TraceEventKinds.cs"], FilesThatName(2, static text => [text, .. Quoted().Matches(text).Select(static m => m.Value.Trim('"', '\''))], TraceEventKinds.Names.ToArray()));

    [Fact]
    public void The_page_of_a_report_takes_the_names_of_kinds_from_there() =>
        Assert.DoesNotMatch("'(pre|post|fault|ret)'", File.ReadAllText(Path.Combine(FolderUses.Core, "Export/report-page.html")));

    /// <remarks>Not even once: their names are those of the fields.</remarks>
    [Fact]
    public void Registers_are_named_by_the_fields_they_are_recorded_in()
    {
        Assert.Empty(FilesThatName(3, static text => Word().Matches(text).Select(static m => m.Value), [.. TraceRegisters.Names[..16]]));
        Assert.Equal(
            ["Cpu/PtRegs.cs", "Tracing/TraceRegisters.cs"],
            FilesWith<StructDeclarationSyntax>(static type => type.Members.OfType<FieldDeclarationSyntax>().Count(static f => f.Declaration.Variables[0].Identifier.Text is "Ax" or "Bx" or "R15") == 3));
    }

    [Fact]
    public void A_field_is_written_in_small_letters_with_its_words_apart()
    {
        Assert.Equal("ax bx cx dx si di bp sp r8 r9 r10 r11 r12 r13 r14 r15 ip flags cr3", string.Join(' ', TraceRegisters.Names.ToArray()));
        Assert.Equal("ax cx dx bx sp bp si di r8 r9 r10 r11 r12 r13 r14 r15 ip flags cs ss orig_ax", string.Join(' ', PtRegs.Names.ToArray()));
    }

    /// <remarks>Everything else asks for the kind; the text goes from the trace to the history as it is.</remarks>
    [Fact]
    public void Types_of_arguments_are_read_in_one_place()
    {
        Assert.Equal(
            ["Store/HistoryWriter.cs", "Store/ImportedProbe.cs", "Tracing/TraceArgument.cs", "Tracing/TraceRows.cs"],
            FolderUses.FilesThatUse("TraceArgument", "Type"));
        Assert.Equal(
            ["Core/Probes/FetchType.cs", "Core/Tracing/ArgumentKind.cs"],
            FilesThatName(2, static text => [text], ["ustring", "symstr", "u64", "x64", "b64"]));
    }

    /// <remarks>Rows of a query may have any text in a column called args, which must parse where it goes out without quotes.</remarks>
    [Fact]
    public void Arguments_are_taken_out_of_their_JSON_by_one_reader() =>
        Assert.Equal(
            ["Export/ArgumentValues.cs", "Export/JsonRows.cs"],
            FilesWith<IdentifierNameSyntax>(static name => name.Identifier.Text is "Utf8JsonReader" or "JsonDocument").Where(static file => !file.StartsWith("..", StringComparison.Ordinal)));

    /// <remarks>A table that is gone at once is none of the history's, and rows of another history are copied whole.</remarks>
    [Fact]
    public void Tables_and_views_of_the_history_are_declared_in_one_place()
    {
        Assert.Empty(FilesThatName(1, static text => Statement().Matches(text).Select(static m => m.Groups[1].Value).Distinct(), ["kt_"]));
        Assert.Equal(["Store/HistoryTables.cs"], FilesWith<ObjectCreationExpressionSyntax>(static made => made.Type.ToString() == "HistoryTable").Concat(
            FilesWith<PropertyDeclarationSyntax>(static p => p.Type.ToString() == "HistoryTable")).Where(static file => file != "Store/HistoryTable.cs").Distinct());
        Assert.Equal(["Store/HistoryViews.cs"], FilesWith<PropertyDeclarationSyntax>(static p => p.Type.ToString() == "HistoryView"));
    }

    /// <remarks>Names that other things have too do not count: a run, a probe, an address.</remarks>
    [Fact]
    public void Columns_of_events_are_listed_once() =>
        Assert.Equal(
            ["Core/Store/HistoryTables.cs", "Core/Store/HistoryViews.cs"],
            FilesThatName(3, static text => text.Split(' '), ["time_ns", "insn", "cpu", "caller", "entry_seq", "truncated"]));

    /// <summary>Files of src whose texts have so many of some words, relative to it.</summary>
    private static string[] FilesThatName(int least, Func<string, IEnumerable<string>> wordsOf, string[] names) =>
        [.. SourceCompilation.Models.Select(static model => model.SyntaxTree)
            .Where(tree => tree.GetRoot().DescendantTokens().Where(static t => (t.Value is string && !t.IsKind(SyntaxKind.IdentifierToken)) || t.IsKind(SyntaxKind.InterpolatedStringTextToken))
                .SelectMany(t => wordsOf(t.ValueText)).Intersect(names).Count() >= least)
            .Select(static tree => Path.GetRelativePath(Repository.PathOf("src"), tree.FilePath)).Order(StringComparer.Ordinal)];

    /// <summary>The files of the library that have such a node, relative to it.</summary>
    private static string[] FilesWith<T>(Func<T, bool> wanted)
        where T : SyntaxNode =>
        [.. SourceCompilation.Models.Select(static model => model.SyntaxTree).Where(tree => tree.GetRoot().DescendantNodes().OfType<T>().Any(wanted))
            .Select(static tree => Path.GetRelativePath(FolderUses.Core, tree.FilePath)).Order(StringComparer.Ordinal)];

    [GeneratedRegex("['\"]\\w+['\"]|\\b(?:pre|post)(?=, )")]
    private static partial Regex Quoted();

    // What stands in a probe's definition is an example of one.
    [GeneratedRegex("(?<![%\\w])\\w+")]
    private static partial Regex Word();

    [GeneratedRegex("(?:CREATE TABLE|CREATE VIEW|INSERT INTO) (kt_)(?!none)")]
    private static partial Regex Statement();

    // Arrays and texts without a length, and everything from nil to the last of the forms with one.
    [GeneratedRegex("^0x([9A]0|[CD][0-9A-F])$", RegexOptions.IgnoreCase)]
    private static partial Regex TypeByte();
}
