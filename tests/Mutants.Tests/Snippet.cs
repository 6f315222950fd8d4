using Microsoft.CodeAnalysis;

namespace KprobeTrace.Tests.Mutants;

/// <summary>A piece of code as the body of a method.</summary>
internal static class Snippet
{
    /// <summary>The places in it, as if it stood in a file of a folder.</summary>
    public static List<Site> Sites(string code, string folder = "Store")
    {
        SyntaxNode root = Sources.Parse($"enum Kind\n{{\n    Pre,\n    Post,\n    Ret,\n}}\nclass C\n{{\n    int M()\n    {{\n        {code}\n    }}\n}}\n", "C.cs");
        return [.. new SiteFinder([root]).In($"src/Core/{folder}/C.cs", root)];
    }
}
