using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Xunit;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Planted code is compiled and run.</summary>
public sealed class PlanterTests
{
    private const string Switch = "static class MutantSwitch { public static int Active = -1; public static bool Is(int id) => id == Active; }";

    [Theory]
    [InlineData("int a = 7; int b = 3; return a - b;", "swapped operands", 4, -4)]
    [InlineData("int a = 7; if (a < 7) { return 1; } return 0;", "limit", 0, 1)]
    [InlineData("int a = 8; if (a < 7) { return 1; } return 2;", "comparison", 2, 1)]
    [InlineData("int sum = 0; for (int i = 0; i < 5; i++) { if (i == 2) { continue; } sum += i; } return sum;", "loop left", 8, 1)]
    [InlineData("int sum = 0; for (int i = 0; i < 5; i++) { if (i == 2) { break; } sum += i; } return sum;", "loop not left", 1, 8)]
    [InlineData("int sum = 0; for (int i = 0; i < 5; i++) { sum += i; } return sum;", "sum that is replaced", 10, 4)]
    [InlineData("int a = 3; a = 4; return a;", "forgotten assignment", 4, 3)]
    [InlineData("int a = 3; a = 0; return a;", "forgotten reset", 0, 3)]
    [InlineData("int a = 3; return a switch { <= 3 => 10, _ => 20 };", "limit", 10, 20)]
    [InlineData("int a = 3; return a is 3 or 4 ? 10 : 20;", "case left out", 10, 20)]
    [InlineData("long a = 0x1_0000_0001; return (long)a > 1 ? 5 : 6;", "width", 5, 6)]
    [InlineData("string? a = \"x\"; return (a ?? \"long\").Length;", "missed null", 1, 4)]
    [InlineData("int firstStep = 1; int lastStep = 2; return firstStep;", "wrong name", 1, 2)]
    [InlineData("return (int)Kind.Post;", "wrong kind", 1, 2)]
    public void A_fault_shows_while_its_switch_is_on_and_only_then(string code, string kind, int off, int on)
    {
        Site site = Snippet.Sites(code).First(site => site.Fault.Operator == kind && (kind != "case left out" || site.Fault.After.Contains("is 4", StringComparison.Ordinal)));
        string planted = Planter.Plant(site.Guarded.SyntaxTree.GetRoot(), [(5, site)]);
        Type built = Build(planted);

        Assert.Equal([off, on, off], new int[] { -1, 5, 6 }.Select(active => Run(built, active)));
    }

    [Fact]
    public void Faults_of_one_method_are_switched_each_by_itself()
    {
        List<Site> sites = Snippet.Sites("int a = 7; int b = 3; int c = a - b; return c + a;");
        Site difference = sites.First(site => site.Fault.After.Contains("a + b", StringComparison.Ordinal));
        Site sum = sites.First(site => site.Fault.After.Contains("c - a", StringComparison.Ordinal));
        Type built = Build(Planter.Plant(difference.Guarded.SyntaxTree.GetRoot(), [(0, difference), (1, sum)]));

        Assert.Equal([11, 17, -3], new int[] { -1, 0, 1 }.Select(active => Run(built, active)));
    }

    [Fact]
    public void What_does_not_compile_is_led_back_to_its_switch()
    {
        List<Site> sites = Snippet.Sites("string a = \"x\"; string y = \"y\"; string b = a + y; int c = 3 - 1; return c;");
        Site wrong = sites.First(site => site.Fault.After.Contains("a - y", StringComparison.Ordinal));
        Site right = sites.First(site => site.Fault.After.Contains("3 + 1", StringComparison.Ordinal));
        SyntaxNode planted = Sources.Parse(Planter.Plant(wrong.Guarded.SyntaxTree.GetRoot(), [(8, wrong), (9, right)]), "C.cs");

        Diagnostic error = Assert.Single(Compilation(planted.SyntaxTree).GetDiagnostics(), diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
        Assert.Equal([8], Planter.SwitchesRound(planted, error.Location.SourceSpan.Start));
    }

    private static int Run(Type built, int active)
    {
        built.Assembly.GetType("MutantSwitch")!.GetField("Active")!.SetValue(null, active);
        return (int)built.GetMethod("M", BindingFlags.Instance | BindingFlags.NonPublic)!.Invoke(Activator.CreateInstance(built), [])!;
    }

    private static Type Build(string planted)
    {
        using MemoryStream image = new();
        Microsoft.CodeAnalysis.Emit.EmitResult result = Compilation(Sources.Parse(planted, "C.cs").SyntaxTree).Emit(image);
        Assert.True(result.Success, string.Join('\n', result.Diagnostics) + "\n" + planted);
        return Assembly.Load(image.ToArray()).GetType("C")!;
    }

    private static CSharpCompilation Compilation(SyntaxTree tree) => CSharpCompilation.Create(
        Guid.NewGuid().ToString(),
        [tree, Sources.Parse(Switch, "MutantSwitch.cs").SyntaxTree],
        ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(':').Where(path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal)).Select(path => MetadataReference.CreateFromFile(path)),
        new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
}
