using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants;

/// <summary>What types expressions have, as far as that follows from the sources and the runtime's own libraries.</summary>
internal sealed class Types
{
    // What ImplicitUsings stands for.
    private const string Usings = "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Threading; global using System.Threading.Tasks;";

    private static readonly Lazy<MetadataReference[]> _libraries = new(() =>
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal)).Select(path => MetadataReference.CreateFromFile(path))]);

    private readonly Lazy<CSharpCompilation> _compilation;

    /// <summary>Of these sources.</summary>
    public Types(IEnumerable<SyntaxTree> trees) => _compilation = new(() => CSharpCompilation.Create(
        "Sources",
        trees.Append(CSharpSyntaxTree.ParseText(Usings, new CSharpParseOptions(LanguageVersion.Preview))),
        _libraries.Value,
        new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true)));

    /// <summary>
    /// Whether every value that an expression is likely to have fits into so many bits: also of an <c>int</c>, which is an index, a length
    /// or a difference of those, and of an enumeration.
    /// </summary>
    public bool Fits(ExpressionSyntax expression, int bits)
    {
        SemanticModel model = _compilation.Value.GetSemanticModel(expression.SyntaxTree);
        if (model.GetConstantValue(expression) is { HasValue: true, Value: sbyte or byte or short or ushort or int or uint or long or ulong } constant)
        {
            decimal number = Convert.ToDecimal(constant.Value, CultureInfo.InvariantCulture);
            return number >= 0 && number < (decimal)Math.Pow(2, bits);
        }

        if (expression is ParenthesizedExpressionSyntax { Expression: BinaryExpressionSyntax { RawKind: (int)SyntaxKind.BitwiseAndExpression } masked })
        {
            return Fits(masked.Right, bits) || Fits(masked.Left, bits);
        }

        ITypeSymbol? type = model.GetTypeInfo(expression).Type;
        return type?.TypeKind == TypeKind.Enum || Bits(type?.SpecialType ?? SpecialType.None) is int own && own <= bits;
    }

    /// <summary>Whether an expression always has the value that its type begins with: zero, false, or a tuple of such.</summary>
    public bool IsDefault(ExpressionSyntax expression)
    {
        SemanticModel model = _compilation.Value.GetSemanticModel(expression.SyntaxTree);
        return expression is TupleExpressionSyntax tuple
            ? tuple.Arguments.All(part => IsDefault(part.Expression))
            : model.GetTypeInfo(expression).ConvertedType is { IsValueType: true, OriginalDefinition.SpecialType: not SpecialType.System_Nullable_T }
                && model.GetConstantValue(expression) is { HasValue: true, Value: false or (sbyte)0 or (byte)0 or (short)0 or (ushort)0 or 0 or 0u or 0L or 0ul };
    }

    private static int? Bits(SpecialType type) => type switch
    {
        SpecialType.System_Byte or SpecialType.System_SByte or SpecialType.System_Int32 => 8,
        SpecialType.System_Int16 or SpecialType.System_UInt16 or SpecialType.System_Char => 16,
        SpecialType.System_UInt32 => 32,
        SpecialType.System_Int64 or SpecialType.System_UInt64 => 64,
        _ => null,
    };
}
