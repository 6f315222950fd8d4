using System.Diagnostics;
using System.Reflection;
using Iced.Intel;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Tests.Guests;
using Xunit;
using Xunit.Abstractions;

namespace KprobeTrace.Tests.Cpu.Handlers;

/// <summary>A handler that goes on by a call and not by a jump uses up the host's stack: a guest's loop is then enough to end the process.</summary>
public sealed class HandlerTailCallTests(ITestOutputHelper output)
{
    [Fact]
    public void The_run_loop_lets_handlers_go_on_by_themselves() => Assert.True(TailCalls.AreTaken);

    [Theory]
    [InlineData("Debug")]
    [InlineData("Release")]
    public async Task The_engine_is_optimised_in_every_configuration(string configuration)
    {
        ProcessStartInfo start = new("dotnet", ["msbuild", Repository.PathOf("src/Core/Core.csproj"), "-getProperty:Optimize", $"-p:Configuration={configuration}"])
        {
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        Assert.Equal("true", (await process.StandardOutput.ReadToEndAsync()).Trim(), ignoreCase: true);
    }

    [FactOnX64]
    public void Every_handler_goes_on_by_a_jump()
    {
        HashSet<ulong> onward = [.. HandlerCatalogue.All.SelectMany(HandlerCatalogue.Reached).Distinct().Where(HandlerCatalogue.GoesOn).Select(NativeCode.EntryOf)];
        List<string> wrong = [];
        foreach (MethodInfo method in HandlerCatalogue.All.Concat(HandlerCatalogue.Continuations))
        {
            NativeCode code = NativeCode.Of(method);
            foreach (Instruction call in code.CallsBeforeReturn().Where(c => NativeCode.Target(c) == 0).Concat(code.Calls().Where(c => onward.Contains(NativeCode.Target(c)))))
            {
                wrong.Add($"{HandlerCatalogue.Name(method)}: {call}");
            }
        }

        output.WriteLine($"{HandlerCatalogue.All.Count} handlers, {HandlerCatalogue.Continuations.Count} continuations");
        Assert.True(wrong.Count == 0, $"{wrong.Count} of {HandlerCatalogue.All.Count}:\n{string.Join('\n', wrong)}");
        Assert.InRange(HandlerCatalogue.All.Count, 1000, 100_000);
        Assert.Contains(HandlerCatalogue.All, m => m.Name == "LeaveToLink");
    }
}
