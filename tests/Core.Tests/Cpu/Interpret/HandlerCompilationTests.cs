using System.Reflection;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Interpret;

public sealed unsafe class HandlerCompilationTests
{
    private const MethodImplAttributes NotAHandler = MethodImplAttributes.NoInlining | MethodImplAttributes.AggressiveInlining;

    [Fact]
    public void Every_handler_is_compiled_once_and_fully_optimised()
    {
        MethodInfo[] shaped =
        [
            .. typeof(Flow).Assembly.GetTypes()
                .Where(type => type.Namespace is "KprobeTrace.Cpu.Blocks" or "KprobeTrace.Cpu.Interpret")
                .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
                .Where(HasTheShapeOfAHandler),
        ];

        IEnumerable<string> tiered = shaped
            .Where(method => (method.MethodImplementationFlags & (NotAHandler | MethodImplAttributes.AggressiveOptimization)) == 0)
            .Select(method => $"{method.DeclaringType!.Name}.{method.Name}");

        Assert.True(shaped.Length > 100);
        Assert.Empty(tiered);
    }

    private static bool HasTheShapeOfAHandler(MethodInfo method) =>
        !method.IsAbstract
        && method.ReturnType == typeof(Op*)
        && method.GetParameters() is [var state, var op]
        && state.ParameterType == typeof(CpuState*)
        && op.ParameterType == typeof(Op*);
}
