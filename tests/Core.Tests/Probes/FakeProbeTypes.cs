using KprobeTrace.Probes;

namespace KprobeTrace.Tests.Probes;

/// <summary>
/// The types of <c>int fn(struct path *path, unsigned int count, char *name, s8 tiny)</c>, where a path points to a dentry
/// that holds an embedded name, an array of characters, an array of numbers and a bit field.
/// </summary>
internal sealed class FakeProbeTypes : IProbeTypes
{
    private const int Path = 1;
    private const int PathPointer = 2;
    private const int Dentry = 3;
    private const int DentryPointer = 4;
    private const int Qstr = 5;
    private const int Character = 6;
    private const int CharacterPointer = 7;
    private const int Unsigned = 8;
    private const int SignedByte = 9;
    private const int CharacterArray = 10;
    private const int NumberArray = 11;

    public IReadOnlyList<ProbeVariable>? FindParameters(string name) => name == "fn"
        ?
        [
            new ProbeVariable("path", PathPointer), new ProbeVariable("count", Unsigned),
            new ProbeVariable("name", CharacterPointer), new ProbeVariable("tiny", SignedByte),
        ]
        : null;

    public ProbeTypeShape Describe(int type) => type switch
    {
        Path or Dentry or Qstr => new ProbeTypeShape(ProbeTypeClass.Structure, 64, Element: type),
        PathPointer => new ProbeTypeShape(ProbeTypeClass.Address, 8, Element: Path),
        DentryPointer => new ProbeTypeShape(ProbeTypeClass.Address, 8, Element: Dentry),
        CharacterPointer => new ProbeTypeShape(ProbeTypeClass.Address, 8, Element: Character),
        Character => new ProbeTypeShape(ProbeTypeClass.Number, 1, IsSigned: true, IsCharacter: true),
        Unsigned => new ProbeTypeShape(ProbeTypeClass.Number, 4),
        SignedByte => new ProbeTypeShape(ProbeTypeClass.Number, 1, IsSigned: true),
        CharacterArray => new ProbeTypeShape(ProbeTypeClass.Array, 16, Element: Character, Count: 16),
        NumberArray => new ProbeTypeShape(ProbeTypeClass.Array, 12, Element: Unsigned, Count: 3),
        _ => new ProbeTypeShape(ProbeTypeClass.Other, 0),
    };

    public bool TryFindMember(int type, string name, out ProbeMember member)
    {
        member = (type, name) switch
        {
            (Path, "dentry") => new ProbeMember(DentryPointer, 8 * 8, 0),
            (Dentry, "d_name") => new ProbeMember(Qstr, 32 * 8, 0),
            (Dentry, "d_iname") => new ProbeMember(CharacterArray, 56 * 8, 0),
            (Dentry, "d_counts") => new ProbeMember(NumberArray, 72 * 8, 0),
            (Dentry, "d_bits") => new ProbeMember(Unsigned, (84 * 8) + 3, 5),
            (Dentry, "d_parent") => new ProbeMember(DentryPointer, 24 * 8, 0),
            (Qstr, "len") => new ProbeMember(Unsigned, 4 * 8, 0),
            (Qstr, "name") => new ProbeMember(CharacterPointer, 8 * 8, 0),
            _ => default,
        };
        return member.Type != 0;
    }
}
