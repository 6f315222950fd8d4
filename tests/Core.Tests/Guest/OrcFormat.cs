using KprobeTrace.Symbols;
using KprobeTrace.Tests.Symbols;

namespace KprobeTrace.Tests.Guest;

/// <summary>How kernels of one span of versions write an ORC rule: numbers of registers and types, and where they stand.</summary>
/// <param name="Name">The first kernel that writes it.</param>
/// <param name="Registers">Numbers of none, previous SP, DX, DI, BP, SP, R10, R13, BP indirect and SP indirect.</param>
/// <param name="Members">Bit-fields behind the two offsets, from bit 32 on; none when the kernel's types do not describe the rule.</param>
internal sealed record OrcFormat(string Name, int[] Registers, (string Name, int Bits)[] Members)
{
    private static readonly int[] _early = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    private static readonly int[] _late = [0, 8, 2, 5, 4, 3, 6, 7, 10, 9];

    /// <summary>The formats that there have been.</summary>
    public static IReadOnlyList<OrcFormat> All { get; } =
    [
        new("5.8 without types", _early, []),
        new("5.8", _early, [("sp_reg", 4), ("bp_reg", 4), ("type", 2), ("end", 1)]),
        new("6.3", _early, [("sp_reg", 4), ("bp_reg", 4), ("type", 2), ("signal", 1), ("end", 1)]),
        new("6.4", _early, [("sp_reg", 4), ("bp_reg", 4), ("type", 3), ("signal", 1)]),
        new("7.0", _late, [("sp_reg", 4), ("bp_reg", 4), ("type", 3), ("signal", 1)]),
    ];

    /// <summary>The rule's word: registers by their place in <see cref="Registers"/>; 0 a call, 1 all registers, 2 those the processor pushed.</summary>
    public ushort Word(int frame, int bp, int kind, bool end = false, bool signal = false)
    {
        (string Name, int Bits)[] members = Members.Length > 0 ? Members : [("sp_reg", 4), ("bp_reg", 4), ("type", 2), ("end", 1)];
        bool numbersUndefined = Array.Exists(members, m => m is ("type", 3));
        int word = 0;
        int shift = 0;
        foreach ((string name, int bits) in members)
        {
            int value = name switch
            {
                "sp_reg" => Registers[frame],
                "bp_reg" => Registers[bp],
                "type" => !numbersUndefined ? kind : end ? 1 : kind + 2,
                "signal" => signal ? 1 : 0,
                _ => end ? 1 : 0,
            };
            word |= value << shift;
            shift += bits;
        }

        return (ushort)word;
    }

    /// <summary>The kernel's types; null when they do not describe the rule.</summary>
    public Btf? Types()
    {
        if (Members.Length == 0)
        {
            return null;
        }

        BtfBuilder types = new();
        int number = types.Int("unsigned int", 4);
        uint at = 32;
        List<(string, int, uint, uint)> members = [("sp_offset", number, 0, 0), ("bp_offset", number, 16, 0)];
        foreach ((string name, int bits) in Members)
        {
            members.Add((name, number, at, (uint)bits));
            at += (uint)bits;
        }

        types.Struct("orc_entry", 6, [.. members]);
        return Btf.Parse("kernel", types.Build());
    }

    public override string ToString() => Name;
}
