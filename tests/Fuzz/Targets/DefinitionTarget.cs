using System.Text;
using KprobeTrace.Cpu;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Probes;
using KprobeTrace.Recording;
using KprobeTrace.Tests.Probes;
using KprobeTrace.Tracing;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Lines of kprobe_events: parsed, applied, and where they are accepted fetched from random memory.</summary>
internal sealed unsafe class DefinitionTarget : IFuzzTarget
{
    private readonly FakeFetchEnvironment _environment = new();
    private readonly ArgumentEncoder _encoder = new();
    private readonly FakeProbeTarget _target = new() { Types = new FakeProbeTypes() };

    public DefinitionTarget()
    {
        FuzzRandom random = new(7);
        for (ulong at = 0; at < 0x800; at += 8)
        {
            _environment.WriteWord(FakeProbeTarget.Function + at, random.OneIn(2) ? FakeProbeTarget.Function + ((ulong)random.Next(0x100) * 8) : random.Corner());
            _environment.WriteWord(0x1000 + at, random.OneIn(2) ? 0x1000 + ((ulong)random.Next(0x100) * 8) : random.Corner());
        }

        _environment.WriteText(FakeProbeTarget.Data, "some text");
    }

    public string Name => "definition";

    public string Summary => "lines of kprobe_events, the accepted ones fetched";

    public byte[] Generate(FuzzRandom random) =>
        Encoding.UTF8.GetBytes(string.Join('\n', Enumerable.Range(0, random.Next(1, 4)).Select(_ => ProbeText.Definition(random))));

    public void Run(byte[] input)
    {
        string text = Encoding.UTF8.GetString(input);
        ProbeEventSet events = new(_target);
        foreach (string line in text.Split('\n'))
        {
            bool accepted = ProbeDefinitionParser.TryParse(line, _target, out ProbeDefinition? definition, out ProbeError? error);
            bool again = ProbeDefinitionParser.TryParse(line, _target, out _, out ProbeError? second);
            InvariantException.Require(accepted == again && error?.ToString() == second?.ToString(), "the same line is judged otherwise the second time");
            InvariantException.Require(accepted || !string.IsNullOrWhiteSpace(error!.ToString()), "a line is refused without a word");
            _ = ProbeDefinitionParser.TryParse(line, null, out _, out _);
            _ = events.Apply(line, out _, out _);
            if (accepted)
            {
                Fetch(definition!);
            }
        }
    }

    private void Fetch(ProbeDefinition definition)
    {
        FetchProgram program = definition.CompileArguments();
        FetchBuffer buffer = program.CreateBuffer();
        PtRegs registers = default;
        ulong* words = (ulong*)&registers;
        for (int i = 0; i < sizeof(PtRegs) / 8; i++)
        {
            words[i] = (i & 1) == 0 ? FakeProbeTarget.Function + ((ulong)i * 16) : 0x1000 + ((ulong)i * 16);
        }

        program.Execute(&registers, _environment, buffer);
        string first = buffer.Format(_environment);
        byte[] encoded = _encoder.Encode(buffer).ToArray();
        program.Execute(&registers, _environment, buffer);
        InvariantException.Require(first == buffer.Format(_environment), "the same fetch gives another text the second time");
        using MemoryStream file = new();
        using TraceWriter writer = new(file, "memory", new TraceHeader { ImageName = "x", ImageSha256 = "" });
        TraceEvent e = new() { Kind = TraceEventKind.Pre };
        try
        {
            writer.WriteEvent(in e, encoded, default);
        }
        catch (ArgumentException refusal)
        {
            throw new InvariantException("what the recorder encodes the trace refuses: " + refusal.Message);
        }
    }
}
