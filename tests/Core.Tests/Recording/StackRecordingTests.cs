using Iced.Intel;
using KprobeTrace.Recording;
using KprobeTrace.Tests.Tracing;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Recording;

/// <summary>The call stacks that events carry, of a kernel with rules that find frames by each of the registers there is a rule for.</summary>
public sealed class StackRecordingTests
{
    private const ulong Ips = SmallKernel.Data;
    private const ulong Rules = SmallKernel.Data + 0x100;
    private const int End = 1 << 10;

    private static readonly string[] _places = ["start", "main1", "main2", "fn_pre", "fn_ret"];

    /// <summary>The register that holds the frame, its number in rules of unwinding, and the offset that finds the frame.</summary>
    [Theory]
    [InlineData("rsp", 5, 8)]
    [InlineData("rbp", 4, 0)]
    [InlineData("rdx", 2, 0)]
    [InlineData("rdi", 3, 0)]
    [InlineData("r10", 6, 0)]
    [InlineData("r13", 7, 0)]
    public void Stack_of_a_hit_and_of_a_return_is_that_of_the_calls(string register, int number, int offset)
    {
        RecordedGuest run = Run(register, number, offset, ["p:pre fn_pre stack", "r:ret fn_ret stack", "p:without fn_pre", "r:none fn_ret"]);

        Assert.Equal([Behind(run, "b1"), Behind(run, "a1")], Event(run, 0, 0).Stack);
        Assert.Equal([Behind(run, "b2"), Behind(run, "a2")], Event(run, 1, 3).Stack);
        Assert.Empty(Event(run, 2, 0).Stack);
        Assert.Empty(Event(run, 3, 3).Stack);
        Assert.Empty(Event(run, 0, 1).Stack);
        Assert.Equal(Behind(run, "b1"), Event(run, 0, 0)["caller"]);
    }

    private static RecordedGuest Run(string register, int number, int offset, string[] probes)
    {
        SmallKernel kernel = new();
        FlatGuest guest = kernel.Guest;
        AssemblerRegister64 holder = register switch { "rbp" => rbp, "rdx" => rdx, "rdi" => rdi, "r10" => r10, "r13" => r13, _ => rsp };
        guest.Mark("start").Code.call(guest.At("main1"));
        guest.Mark("a1").Code.call(guest.At("main2"));
        guest.Mark("a2").Exit();
        guest.Mark("main1").Code.nop();
        if (register != "rsp")
        {
            guest.Code.mov(holder, rsp);
        }

        guest.Code.call(guest.At("fn_pre"));
        guest.Mark("b1").Code.ret();
        guest.Mark("main2").Code.nop();
        if (register != "rsp")
        {
            guest.Code.lea(holder, __[rsp + 8]);
        }

        guest.Code.call(guest.At("fn_ret"));
        guest.Mark("b2").Code.ret();
        guest.Mark("fn_pre").Code.nop();
        guest.Code.ret();
        guest.Mark("fn_ret").Code.nop();
        guest.Code.ret();
        guest.Assemble();
        for (int i = 0; i < _places.Length; i++)
        {
            ulong at = Ips + ((ulong)i * 4);
            bool byHolder = _places[i] is "main2" or "fn_pre";
            kernel.Write(at, guest.Addresses[_places[i]] - at, 4);
            kernel.Write(Rules + ((ulong)i * 6), (ulong)(byHolder ? offset : 8), 2).Write(Rules + ((ulong)i * 6) + 4, (ulong)(i == 0 ? End : byHolder ? number : 5), 2);
        }

        kernel.Symbol("__start_orc_unwind_ip", Ips).Symbol("__stop_orc_unwind_ip", Ips + ((ulong)_places.Length * 4))
            .Symbol("__start_orc_unwind", Rules).Symbol("__stop_orc_unwind", Rules + ((ulong)_places.Length * 6));
        return RecordedGuest.Run(kernel.Build(), new RecordingOptions { Image = "", Probes = probes, MaxInstructions = 100_000 });
    }

    private static PlainEvent Event(RecordedGuest run, int probe, int kind) => run.Events.Single(e => e.Probe == probe && e.Kind == kind);

    /// <summary>The address of a place, from the symbols that the trace names.</summary>
    private static ulong Behind(RecordedGuest run, string place) =>
        (ulong)(Int128)run.Trace.Symbols.Single(row => (string)row[2]! == place)[0]!;
}
