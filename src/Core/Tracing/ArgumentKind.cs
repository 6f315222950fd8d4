namespace KprobeTrace.Tracing;

/// <summary>What an argument's values are: its type, read once.</summary>
/// <param name="Style">How a value is printed.</param>
/// <param name="IsArray">True where a value is an array of such.</param>
/// <param name="IsUnsigned64">True for single numbers that may lie above 2^63 and mean it.</param>
internal readonly record struct ArgumentKind(ArgumentStyle Style, bool IsArray, bool IsUnsigned64)
{
    /// <summary>True where an export has one number for a value; else it has a text, which for an array is its JSON.</summary>
    internal bool IsNumber => Style != ArgumentStyle.Text && !IsArray;

    /// <summary>True for values that point somewhere, or may.</summary>
    internal bool IsAddress => Style is ArgumentStyle.Hex or ArgumentStyle.Symbol;

    /// <summary>Reads a type as the definition language spells it; what it does not know is hexadecimal.</summary>
    internal static ArgumentKind Parse(string type)
    {
        ArgumentStyle style = type switch
        {
            "" => ArgumentStyle.Hex,
            _ when Begins("symbol") => ArgumentStyle.Symbol,
            _ when Begins("string") || Begins("ustring") || Begins("symstr") => ArgumentStyle.Text,
            _ when Begins("char") => ArgumentStyle.Character,
            _ when type[0] is 's' => ArgumentStyle.Signed,
            _ when type[0] is 'u' or 'b' => ArgumentStyle.Unsigned,
            _ => ArgumentStyle.Hex,
        };
        bool isArray = type.EndsWith(']');
        bool isWide = type is "" or "u64" or "x64" || style == ArgumentStyle.Symbol || Begins("b64");
        return new ArgumentKind(style, isArray, isWide && !isArray);

        bool Begins(string word) => type.StartsWith(word, StringComparison.Ordinal);
    }
}
