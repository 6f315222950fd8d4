using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Code in which a switch cannot stand, or a fault changes nothing that a test is for: words of messages, what the host
/// cannot be made to do, first sizes, hashes.</summary>
internal static class Harmless
{
    private static readonly HashSet<string> _growing =
    [
        "List", "Dictionary", "HashSet", "Queue", "Stack", "PriorityQueue", "StringBuilder", "MemoryStream", "ArrayBufferWriter", "ConcurrentDictionary", "BufferedStream",
        "FileStream", "StreamReader", "StreamWriter", "SortedList",
    ];

    private static readonly HashSet<string> _hints = ["leaveOpen", "bufferSize", "capacity", "useAsync", "options"];

    private static readonly HashSet<string> _hintMethods = ["EnsureCapacity", "ConfigureAwait", "Rent", "TrimExcess", "Assert", "GetHashCode", "Sleep"];

    /// <summary>Whether nothing is planted at this node and below.</summary>
    public static bool Is(SyntaxNode node) => node switch
    {
        AttributeListSyntax or EnumDeclarationSyntax or ParameterListSyntax or CaseSwitchLabelSyntax or ThrowStatementSyntax or ThrowExpressionSyntax or DestructorDeclarationSyntax => true,
        FieldDeclarationSyntax field => field.Modifiers.Any(SyntaxKind.ConstKeyword),
        LocalDeclarationStatementSyntax local => local.IsConst,
        MethodDeclarationSyntax method => method.Identifier.ValueText is "GetHashCode" or "Dispose" or "DisposeAsync",
        ObjectCreationExpressionSyntax creation => NameOf(creation.Type).EndsWith("Exception", StringComparison.Ordinal),
        ArgumentSyntax { NameColon.Name.Identifier.ValueText: var name } when _hints.Contains(name) => true,
        ArgumentSyntax { Expression: LiteralExpressionSyntax or BinaryExpressionSyntax, Parent.Parent: BaseObjectCreationExpressionSyntax creation } => IsGrowing(creation),
        ArgumentListSyntax { Parent: InvocationExpressionSyntax call } => IsHint(call),
        ArrayRankSpecifierSyntax rank => rank.Sizes.Any(IsBuffer),
        InterpolatedStringExpressionSyntax { Parent.Parent.Parent: InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "AddError" } } } => true,
        IsPatternExpressionSyntax { Expression: IdentifierNameSyntax } test => test.FirstAncestorOrSelf<CatchFilterClauseSyntax>() is not null,
        ExpressionSyntax { Parent: ConditionalExpressionSyntax choice } when choice.WhenTrue == node => IsElsewhere(choice.Condition),
        StatementSyntax { Parent: IfStatementSyntax check } when check.Statement == node => IsElsewhere(check.Condition),
        _ => false,
    };

    /// <summary>Whether a condition asks for another system than the tests run on.</summary>
    public static bool IsElsewhere(ExpressionSyntax condition) =>
        condition.ToString() is "OperatingSystem.IsMacOS()" or "OperatingSystem.IsWindows()" or "!OperatingSystem.IsLinux()";

    // The buffers of copying loops, of which any size will do; smaller arrays hold something of exactly that size.
    private static bool IsBuffer(ExpressionSyntax size) => size switch
    {
        LiteralExpressionSyntax { Token.Value: int value } => value >= 256,
        BinaryExpressionSyntax product => product.Left is LiteralExpressionSyntax && product.Right is LiteralExpressionSyntax,
        _ => false,
    };

    private static bool IsHint(InvocationExpressionSyntax call) =>
        call.Expression is MemberAccessExpressionSyntax member
        && (_hintMethods.Contains(member.Name.Identifier.ValueText) || member.Name.Identifier.ValueText.StartsWith("ThrowIf", StringComparison.Ordinal));

    private static bool IsGrowing(BaseObjectCreationExpressionSyntax creation) => _growing.Contains(creation switch
    {
        ObjectCreationExpressionSyntax named => NameOf(named.Type),
        { Parent: EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax { Parent: VariableDeclarationSyntax variable } } } => NameOf(variable.Type),
        { Parent: EqualsValueClauseSyntax { Parent: PropertyDeclarationSyntax property } } => NameOf(property.Type),
        _ => "",
    });

    private static string NameOf(TypeSyntax type) => type switch
    {
        SimpleNameSyntax name => name.Identifier.ValueText,
        QualifiedNameSyntax qualified => qualified.Right.Identifier.ValueText,
        NullableTypeSyntax nullable => NameOf(nullable.ElementType),
        _ => "",
    };
}
