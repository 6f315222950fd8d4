using KprobeTrace.Tests.Guests;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace KprobeTrace.Tests.Architecture;

/// <summary>No processor is taken for the only one: who needs one has its index, or asks whose turn it is.</summary>
public sealed class ProcessorIndexTests
{
    /// <summary>Methods, and types with constructors, of which a parameter is such a number.</summary>
    private static readonly Lazy<HashSet<string>> _takers = new(static () => [.. SourceCompilation.Models
        .SelectMany(static model => model.SyntaxTree.GetRoot().DescendantNodes().OfType<ParameterSyntax>())
        .Where(static parameter => IsNumber(parameter.Identifier.Text) && parameter.Type?.ToString() == "int")
        .Select(static parameter => parameter.Parent!.Parent switch
        {
            MethodDeclarationSyntax method => method.Identifier.Text,
            ConstructorDeclarationSyntax constructor => constructor.Identifier.Text,
            TypeDeclarationSyntax type => type.Identifier.Text,
            _ => "",
        })]);

    /// <summary>What a number of a processor, or of processors, is called.</summary>
    private static readonly string[] _names = ["cpu", "cpuCount", "cpuIndex", "processor", "processorCount", "processorIndex"];

    [Fact]
    public void Only_what_starts_a_machine_knows_which_processor_is_the_first() =>
        Assert.Equal(
            ["Core/Machine/GuestMachine.cs", "Core/Machine/MachineBuilder.cs", "Core/Machine/ProcessorBus.cs"],
            Uses("ProcessorGroup", "Bootstrap").Concat(Uses("ProcessorGroup", "BootstrapIndex")).Distinct().Order(StringComparer.Ordinal));

    [Fact]
    public void Only_a_processors_own_way_to_the_devices_keeps_one_processor() =>
        Assert.Equal(
            ["Core/Machine/ProcessorBus.cs _processor"],
            SourceCompilation.Models.Where(static model => !PathOf(model).StartsWith("Core/Cpu/", StringComparison.Ordinal))
                .SelectMany(static model => Members(model).Where(static member => TypeOf(member)?.Name == "Processor").Select(member => $"{PathOf(model)} {member.Name}")));

    /// <remarks>The group itself says which is the first.</remarks>
    [Fact]
    public void No_index_of_a_processor_is_a_literal()
    {
        (string Place, bool IsConstant)[] indices = [.. SourceCompilation.Models.SelectMany(Indices)];

        Assert.True(indices.Length > 20, $"{indices.Length} indices of processors");
        Assert.Equal(["Core/Cpu/ProcessorGroup.cs: _all[BootstrapIndex]"], indices.Where(static i => i.IsConstant).Select(static i => i.Place));
    }

    /// <remarks>But for how many a machine has that is not told, and for the place of a column.</remarks>
    [Fact]
    public void No_member_answers_with_a_literal_which_processor_it_is_or_how_many_there_are()
    {
        (string Place, bool IsConstant)[] members = [.. SourceCompilation.Models.SelectMany(Answers)];

        Assert.True(members.Length > 5, $"{members.Length} members");
        Assert.Equal(["Core/Session/GuestOptions.cs ProcessorCount", "Core/Tracing/EventFields.cs Cpu"], members.Where(static m => m.IsConstant).Select(static m => m.Place));
    }

    /// <summary>Numbers that are given for a processor: between brackets, as arguments, or assigned.</summary>
    private static IEnumerable<(string Place, bool IsConstant)> Indices(SemanticModel model)
    {
        foreach (SyntaxNode node in model.SyntaxTree.GetRoot().DescendantNodes())
        {
            ExpressionSyntax? index = node switch
            {
                ElementAccessExpressionSyntax access when MayBeProcessors(access.Expression) && IsOfProcessors(model.GetTypeInfo(access.Expression).Type) => access.ArgumentList.Arguments[0].Expression,
                ArgumentSyntax argument when ParameterOf(model, argument) is { Type.SpecialType: SpecialType.System_Int32 } parameter && IsNumber(parameter.Name) => argument.Expression,
                AssignmentExpressionSyntax assignment when IsNumber(LastName(assignment.Left)) && model.GetTypeInfo(assignment.Left).Type is { SpecialType: not SpecialType.None } => assignment.Right,
                _ => null,
            };
            if (index is not null)
            {
                yield return ($"{PathOf(model)}: {node}", model.GetConstantValue(index).HasValue);
            }
        }
    }

    private static IEnumerable<(string Place, bool IsConstant)> Answers(SemanticModel model)
    {
        foreach (PropertyDeclarationSyntax property in model.SyntaxTree.GetRoot().DescendantNodes().OfType<PropertyDeclarationSyntax>().Where(static p => IsNumber(p.Identifier.Text)))
        {
            ExpressionSyntax? answer = property.ExpressionBody?.Expression ?? property.Initializer?.Value
                ?? property.DescendantNodes().OfType<ReturnStatementSyntax>().FirstOrDefault()?.Expression;
            yield return ($"{PathOf(model)} {property.Identifier.Text}", answer is not null && model.GetConstantValue(answer).HasValue);
        }

        foreach (VariableDeclaratorSyntax field in model.SyntaxTree.GetRoot().DescendantNodes().OfType<VariableDeclaratorSyntax>().Where(static f => f.Parent?.Parent is FieldDeclarationSyntax && IsNumber(f.Identifier.Text)))
        {
            yield return ($"{PathOf(model)} {field.Identifier.Text}", field.Initializer is { } initial && model.GetConstantValue(initial.Value).HasValue);
        }
    }

    private static bool IsNumber(string name) => _names.Contains(name.TrimStart('_'), StringComparer.OrdinalIgnoreCase);

    private static bool IsOfProcessors(ITypeSymbol? type) =>
        type?.Name == "ProcessorGroup" || type is INamedTypeSymbol { IsGenericType: true, TypeArguments: [{ Name: "Processor" or "ProcessorBus" }] }
            or IArrayTypeSymbol { ElementType.Name: "Processor" or "ProcessorBus" };

    private static IParameterSymbol? ParameterOf(SemanticModel model, ArgumentSyntax argument)
    {
        if (argument.Parent is not BaseArgumentListSyntax { Parent: { } call } list || !_takers.Value.Contains(Called(call)) || model.GetSymbolInfo(call).Symbol is not IMethodSymbol method)
        {
            return null;
        }

        return argument.NameColon is { } name
            ? method.Parameters.FirstOrDefault(parameter => parameter.Name == name.Name.Identifier.Text)
            : method.Parameters.ElementAtOrDefault(list.Arguments.IndexOf(argument));
    }

    private static string Called(SyntaxNode call) => call switch
    {
        InvocationExpressionSyntax invocation => LastName(invocation.Expression),
        ObjectCreationExpressionSyntax creation => creation.Type.ToString(),

        // What it makes stands elsewhere: any may be it.
        ImplicitObjectCreationExpressionSyntax => _takers.Value.First(),
        _ => "",
    };

    private static string LastName(ExpressionSyntax expression) => expression switch
    {
        MemberAccessExpressionSyntax access => access.Name.Identifier.Text,
        MemberBindingExpressionSyntax binding => binding.Name.Identifier.Text,
        IdentifierNameSyntax name => name.Identifier.Text,
        _ => "",
    };

    // The compiler is asked only where a name lets it be thought.
    private static bool MayBeProcessors(ExpressionSyntax expression) =>
        LastName(expression).Contains("rocessor", StringComparison.Ordinal) || LastName(expression) is "_all" or "Group" or "_group";

    private static IEnumerable<ISymbol> Members(SemanticModel model) => model.SyntaxTree.GetRoot().DescendantNodes()
        .Where(static node => node is PropertyDeclarationSyntax or VariableDeclaratorSyntax { Parent.Parent: FieldDeclarationSyntax })
        .Select(node => model.GetDeclaredSymbol(node)!);

    private static ITypeSymbol? TypeOf(ISymbol member) => member switch
    {
        IPropertySymbol property => property.Type,
        IFieldSymbol field => field.Type,
        _ => null,
    };

    /// <summary>The files, but for that of the type itself, that name a member.</summary>
    private static IEnumerable<string> Uses(string type, string member) => SourceCompilation.Models
        .Where(model => Path.GetFileNameWithoutExtension(PathOf(model)) != type)
        .Where(model => model.SyntaxTree.GetRoot().DescendantNodes().OfType<IdentifierNameSyntax>()
            .Any(name => name.Identifier.Text == member && model.GetSymbolInfo(name).Symbol?.ContainingType?.Name == type))
        .Select(PathOf);

    private static string PathOf(SemanticModel model) =>
        Path.GetRelativePath(Repository.PathOf("src"), model.SyntaxTree.FilePath).Replace(Path.DirectorySeparatorChar, '/');
}
