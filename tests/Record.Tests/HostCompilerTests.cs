using System.Collections.Concurrent;
using System.Text;
using Iced.Intel;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Record;

/// <summary>Whatever the runtime's compiler is told to leave out, guests run as ever and the host's stack does not overflow.</summary>
public sealed class HostCompilerTests
{
    private const ulong Load = 0x100000;

    /// <summary>Code of every build of users: shipped, without tiers, from IL alone, and as a debugger or a profiler has it compiled.</summary>
    private static readonly Dictionary<string, string[]> _settings = new(StringComparer.Ordinal)
    {
        ["as shipped"] = [],
        ["no tiers"] = ["DOTNET_TieredCompilation=0"],
        ["no profile"] = ["DOTNET_TieredPGO=0"],
        ["nothing precompiled"] = ["DOTNET_ReadyToRun=0", "DOTNET_TC_QuickJitForLoops=0"],
        ["no optimisation"] = ["DOTNET_JITMinOpts=1"],
        ["no optimisation, no tiers"] = ["DOTNET_JITMinOpts=1", "DOTNET_TieredCompilation=0"],
    };

    private static readonly Dictionary<string, Action<Assembler>> _loops = new(StringComparer.Ordinal)
    {
        ["across two pages"] = a =>
        {
            Label again = a.CreateLabel();
            Label next = a.CreateLabel();
            a.Label(ref again);
            a.dec(rcx);
            a.jmp(next);
            Pad(a);
            a.Label(ref next);
            a.jne(again);
        },
        ["of calls across pages"] = a =>
        {
            Label again = a.CreateLabel();
            Label function = a.CreateLabel();
            Label end = a.CreateLabel();
            a.mov(rsp, 0x80000);
            a.Label(ref again);
            a.call(function);
            a.dec(rcx);
            a.jne(again);
            a.jmp(end);
            Pad(a);
            a.Label(ref function);
            a.ret();
            a.Label(ref end);
        },
        ["of products"] = a =>
        {
            Label again = a.CreateLabel();
            a.Label(ref again);
            a.mul(rbx);
            a.imul(rbx);
            a.imul(rdx, rax);
            a.imul(edx, eax);
            a.dec(rcx);
            a.jne(again);
        },
        ["of loads and stores"] = a =>
        {
            Label again = a.CreateLabel();
            a.mov(rdi, 0x200000 - 4);
            a.Label(ref again);
            a.add(__qword_ptr[rdi], rcx);
            a.mov(rax, __[rdi]);
            a.xadd(__dword_ptr[rdi + 64], eax);
            a.cvtsi2sd(xmm0, rcx);
            a.dec(rcx);
            a.jne(again);
        },
    };

    // What the first of the settings gave.
    private static readonly ConcurrentDictionary<string, byte[]> _first = new(StringComparer.Ordinal);

    public static TheoryData<string> Settings => [.. _settings.Keys];

    [Theory]
    [MemberData(nameof(Settings))]
    public void Loops_of_a_guest_give_the_same_trace(string setting)
    {
        using Folder folder = new();
        foreach ((string name, Action<Assembler> loop) in _loops)
        {
            File.WriteAllBytes(folder["loop"], Assemble(loop));
            using ToolRun run = ToolRun.RecordWith(folder.Name, _settings[setting], "loop", "--load", $"0x{Load:x}", "-q", "--kinds", "pre,post", "-o", "loop.mpk");

            Assert.True(run.Exit == 0, $"a loop {name}: status {run.Exit}: {run.Error}");
            byte[] trace = File.ReadAllBytes(folder["loop.mpk"]);
            Assert.True(_first.GetOrAdd(name, trace).AsSpan().SequenceEqual(trace), $"the traces of a loop {name} differ");
            Assert.Equal("exit", WholeTrace.Read(folder["loop.mpk"]).Footer!.Ended);
        }
    }

    [Theory]
    [MemberData(nameof(Settings))]
    public void The_demo_gives_the_same_trace(string setting)
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.RecordWith(folder.Name, _settings[setting], "-q", "-o", "demo.mpk").Good();
        byte[] trace = File.ReadAllBytes(folder["demo.mpk"]);

        Assert.True(_first.GetOrAdd("the demo", trace).AsSpan().SequenceEqual(trace), "the traces differ");
        Assert.True(_first.GetOrAdd("what the demo prints", Encoding.UTF8.GetBytes(run.Output)).AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(run.Output)), run.Output);
    }

    [StockGuestFact]
    public void A_stock_kernel_begins_with_the_same_trace()
    {
        using Folder folder = new();
        string[] arguments =
        [
            StockGuest.CloudKernel, "--initrd", StockGuest.Initramfs, "-q", "--max-instructions", "20000000",
            "-p", "p:cpu start_kernel", "-p", "p:print vprintk_emit", "-p", "r:alloc memblock_alloc_try_nid ret=$retval",
        ];
        using ToolRun plain = ToolRun.Record(folder.Name, [.. arguments, "-o", "plain.mpk"]);
        Assert.InRange(plain.Exit, 0, 4);
        using ToolRun run = ToolRun.RecordWith(folder.Name, _settings["no optimisation"], [.. arguments, "-o", "other.mpk"]);

        Assert.Equal(plain.Exit, run.Exit);
        Assert.True(File.ReadAllBytes(folder["plain.mpk"]).AsSpan().SequenceEqual(File.ReadAllBytes(folder["other.mpk"])), "the traces differ");
        Assert.NotEmpty(WholeTrace.Read(folder["other.mpk"]).Events);
    }

    private static byte[] Assemble(Action<Assembler> loop)
    {
        Assembler a = new(64);
        a.mov(ecx, 400_000);
        a.mov(ebx, 3);
        a.fninit();
        a.mov(rax, cr4);
        a.or(eax, 0x200);
        a.mov(cr4, rax);
        loop(a);
        a.mov(eax, 0);
        a.@out(0xF4, al);
        a.hlt();
        using MemoryStream stream = new();
        a.Assemble(new StreamCodeWriter(stream), Load);
        return stream.ToArray();
    }

    private static void Pad(Assembler a)
    {
        for (int i = 0; i < 4096; i++)
        {
            a.nop();
        }
    }
}
