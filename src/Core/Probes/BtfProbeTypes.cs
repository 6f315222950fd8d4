using KprobeTrace.Symbols;

namespace KprobeTrace.Probes;

/// <summary>The types of a kernel's BTF as definitions need them; type numbers are BTF's own.</summary>
internal sealed class BtfProbeTypes(Btf types) : IProbeTypes
{
    public IReadOnlyList<ProbeVariable>? FindParameters(string name)
    {
        BtfFunction? function = types.FindFunction(name);
        return function?.Parameters.Select(p => new ProbeVariable(p.Name, p.Type)).ToList();
    }

    public ProbeTypeShape Describe(int type)
    {
        BtfType resolved = types.Resolve(type);
        int size = (int)Math.Min(types.SizeOf(type), int.MaxValue);
        switch (resolved.Kind)
        {
            case BtfKind.IntegerNumber or BtfKind.Enum or BtfKind.Enum64:
                BtfScalar scalar = types.ScalarOf(type);
                bool isCharacter = size == 1 && resolved.Kind == BtfKind.IntegerNumber && resolved.Name.EndsWith("char", StringComparison.Ordinal);
                return new ProbeTypeShape(ProbeTypeClass.Number, size, scalar.IsSigned, IsCharacter: isCharacter);
            case BtfKind.PointerTo:
                return new ProbeTypeShape(ProbeTypeClass.Address, sizeof(ulong), Element: resolved.Target);
            case BtfKind.Struct or BtfKind.Union:
                return new ProbeTypeShape(ProbeTypeClass.Structure, size, Element: resolved.Id);
            case BtfKind.Array:
                return new ProbeTypeShape(ProbeTypeClass.Array, size, Element: resolved.Target, Count: (int)Math.Min(resolved.Count, int.MaxValue));
            default:
                return new ProbeTypeShape(ProbeTypeClass.Other, 0);
        }
    }

    public bool TryFindMember(int type, string name, out ProbeMember member)
    {
        BtfMember? found = types.FindMember(types.Resolve(type), name);
        member = found is BtfMember m ? new ProbeMember(m.Type, (int)m.BitOffset, (int)m.BitSize) : default;
        return found is not null;
    }
}
