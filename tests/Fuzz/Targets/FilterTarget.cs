using System.Text;
using KprobeTrace.Cpu;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Probes;
using KprobeTrace.Tests.Probes;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Filter expressions for an event with arguments of many types.</summary>
internal sealed unsafe class FilterTarget : IFuzzTarget
{
    private const string Line = "p:ev fn a=%di:u8 b=%si:s64 count=%dx:x32 name=+0(%cx):string text=+0(%r8):ustring";

    private readonly FakeFetchEnvironment _environment = new();
    private readonly ProbeDefinition _definition;
    private readonly FetchProgram _program;
    private readonly FetchBuffer _values;

    public FilterTarget()
    {
        FakeProbeTarget target = new() { Types = new FakeProbeTypes() };
        if (!ProbeDefinitionParser.TryParse(Line, target, out ProbeDefinition? definition, out ProbeError? error))
        {
            throw new InvalidOperationException(error.ToString());
        }

        _definition = definition;
        _program = definition.CompileArguments();
        _values = _program.CreateBuffer();
        _environment.WriteText(FakeProbeTarget.Data, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
        _environment.WriteWord(FakeProbeTarget.Function, FakeProbeTarget.Data);
    }

    public string Name => "filter";

    public string Summary => "filter expressions, the accepted ones decided";

    public byte[] Generate(FuzzRandom random) => Encoding.UTF8.GetBytes(ProbeText.Filter(random));

    public void Run(byte[] input)
    {
        string text = Encoding.UTF8.GetString(input);
        bool accepted = EventFilter.TryParse(text, _definition, out EventFilter? filter, out FilterError? error);
        bool again = EventFilter.TryParse(text, _definition, out EventFilter? other, out FilterError? second);
        InvariantException.Require(accepted == again && error?.ToString() == second?.ToString(), "the same expression is judged otherwise the second time");
        InvariantException.Require(accepted || !string.IsNullOrWhiteSpace(error!.ToString()), "an expression is refused without a word");
        if (!accepted)
        {
            return;
        }

        PtRegs registers = default;
        registers.Di = 1;
        registers.Si = ulong.MaxValue;
        registers.Cx = FakeProbeTarget.Data;
        for (int round = 0; round < 3; round++)
        {
            registers.R8 = round == 0 ? 0 : FakeProbeTarget.Data;
            _program.Execute(&registers, _environment, _values);
            bool first = filter!.Matches(_values, 1, 2, _environment);
            InvariantException.Require(first == other!.Matches(_values, 1, 2, _environment), "the same event is decided otherwise the second time");
        }
    }
}
