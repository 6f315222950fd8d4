namespace KprobeTrace.Probes;

/// <summary>A type of the probe-event language: what follows the colon of a fetch argument.</summary>
internal sealed class FetchType
{
    private static readonly FetchType[] _all =
    [
        new("u8", FetchValueKind.UnsignedNumber, 1), new("u16", FetchValueKind.UnsignedNumber, 2),
        new("u32", FetchValueKind.UnsignedNumber, 4), new("u64", FetchValueKind.UnsignedNumber, 8),
        new("s8", FetchValueKind.SignedNumber, 1), new("s16", FetchValueKind.SignedNumber, 2),
        new("s32", FetchValueKind.SignedNumber, 4), new("s64", FetchValueKind.SignedNumber, 8),
        new("x8", FetchValueKind.Hex, 1), new("x16", FetchValueKind.Hex, 2),
        new("x32", FetchValueKind.Hex, 4), new("x64", FetchValueKind.Hex, 8),
        new("symbol", FetchValueKind.Symbol, 8),
        new("string", FetchValueKind.Text, 4), new("ustring", FetchValueKind.Text, 4),
        new("symstr", FetchValueKind.Text, 4),
    ];

    private FetchType(string name, FetchValueKind kind, int size)
    {
        Name = name;
        Kind = kind;
        Size = size;
    }

    /// <summary>The type of an argument that names none: 64 bits, hexadecimal.</summary>
    public static FetchType Default { get; } = Find("x64")!;

    /// <summary>The type of strings in kernel memory.</summary>
    public static FetchType KernelString { get; } = Find("string")!;

    /// <summary>The type of strings in user memory.</summary>
    public static FetchType UserString { get; } = Find("ustring")!;

    /// <summary>The type of addresses recorded as the text of their symbol.</summary>
    public static FetchType SymbolString { get; } = Find("symstr")!;

    /// <summary>The type's name in a definition.</summary>
    public string Name { get; }

    /// <summary>How values are stored and shown.</summary>
    public FetchValueKind Kind { get; }

    /// <summary>Bytes an element takes in a record; four for the location word of a string.</summary>
    public int Size { get; }

    /// <summary>True for the three string types.</summary>
    public bool IsString => Kind == FetchValueKind.Text;

    /// <summary>True for types whose values compare as signed numbers.</summary>
    public bool IsSigned => Kind == FetchValueKind.SignedNumber;

    /// <summary>Finds a type by name; <c>bW@O/C</c> finds the unsigned type of its container. Null when there is none.</summary>
    public static FetchType? Find(ReadOnlySpan<char> name)
    {
        if (name.Length > 0 && name[0] == 'b')
        {
            int slash = name.IndexOf('/');
            if (slash < 0 || !ProbeNumber.TryParse(name[(slash + 1)..], 0, out ulong bits))
            {
                return null;
            }

            return bits switch
            {
                8 => Find("u8"),
                16 => Find("u16"),
                32 => Find("u32"),
                64 => Find("u64"),
                _ => null,
            };
        }

        foreach (FetchType type in _all)
        {
            if (name.SequenceEqual(type.Name))
            {
                return type;
            }
        }

        return null;
    }

    /// <summary>The integer type of a width and signedness; null for widths other than 1, 2, 4 and 8 bytes.</summary>
    internal static FetchType? Integer(int size, FetchValueKind kind)
    {
        foreach (FetchType type in _all)
        {
            if (type.Size == size && type.Kind == kind)
            {
                return type;
            }
        }

        return null;
    }
}
