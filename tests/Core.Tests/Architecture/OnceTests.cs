using System.Text.RegularExpressions;
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
    public void MessagePacks_type_bytes_are_named_once_and_known_to_its_writer_and_its_reader()
    {
        string[] folders = ["Probes", "Session", "Recording", "Tracing", "Store"];
        Assert.Equal(
            ["Tracing/MessagePackType.cs"],
            FilesWith<LiteralExpressionSyntax>(static literal => literal.IsKind(SyntaxKind.NumericLiteralExpression) && TypeByte().IsMatch(literal.Token.Text))
                .Where(file => folders.Contains(file.Split('/')[0])));
        Assert.Equal(
            ["Tracing/FrameHead.cs", "Tracing/MessagePackCursor.cs", "Tracing/MessagePackInteger.cs", "Tracing/MessagePackSink.cs"],
            FilesWith<IdentifierNameSyntax>(static name => name.Identifier.Text == "MessagePackType"));
    }

    [Fact]
    public void The_library_writes_MessagePack_itself() => Assert.Empty(FilesWith<UsingDirectiveSyntax>(static use => use.Name?.ToString() == "MessagePack"));

    /// <summary>The files of the library that have such a node, relative to it.</summary>
    private static string[] FilesWith<T>(Func<T, bool> wanted)
        where T : SyntaxNode =>
        [.. SourceCompilation.Models.Select(static model => model.SyntaxTree).Where(tree => tree.GetRoot().DescendantNodes().OfType<T>().Any(wanted))
            .Select(static tree => Path.GetRelativePath(FolderUses.Core, tree.FilePath)).Order(StringComparer.Ordinal)];

    // Arrays and texts without a length, and everything from nil to the last of the forms with one.
    [GeneratedRegex("^0x([9A]0|[CD][0-9A-F])$", RegexOptions.IgnoreCase)]
    private static partial Regex TypeByte();
}
