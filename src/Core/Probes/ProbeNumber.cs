using System.Globalization;

namespace KprobeTrace.Probes;

/// <summary>Numbers as the kernel's strict text conversions read them.</summary>
/// <remarks>Base 0 takes <c>0x</c> for hexadecimal, a leading <c>0</c> for octal, anything else for decimal.</remarks>
internal static class ProbeNumber
{
    /// <summary>Reads a whole text as an unsigned number; a leading plus sign is allowed, anything left over is not.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, int radix, out ulong value)
    {
        if (text.Length > 0 && text[0] == '+')
        {
            text = text[1..];
        }

        return TryParsePrefix(text, radix, out value, out int used) && used == text.Length;
    }

    /// <summary>Reads a whole text as a signed number; one sign is allowed.</summary>
    public static bool TryParseSigned(ReadOnlySpan<char> text, int radix, out long value)
    {
        value = 0;
        if (text.Length > 0 && text[0] == '-')
        {
            if (!TryParsePrefix(text[1..], radix, out ulong magnitude, out int used) || used != text.Length - 1
                || magnitude > 1UL << 63)
            {
                return false;
            }

            value = unchecked(-(long)magnitude);
            return true;
        }

        if (!TryParse(text, radix, out ulong unsigned) || unsigned > long.MaxValue)
        {
            return false;
        }

        value = (long)unsigned;
        return true;
    }

    /// <summary>Reads digits up to the first character that is none; false without a digit or on overflow.</summary>
    public static bool TryParsePrefix(ReadOnlySpan<char> text, int radix, out ulong value, out int used)
    {
        value = 0;
        used = 0;
        int start = 0;
        bool hexPrefix = text.Length > 2 && text[0] == '0' && (text[1] | 0x20) == 'x' && char.IsAsciiHexDigit(text[2]);
        if (radix == 0)
        {
            radix = hexPrefix ? 16 : text.Length > 0 && text[0] == '0' ? 8 : 10;
        }

        if (radix == 16 && hexPrefix)
        {
            start = 2;
        }

        int position = start;
        for (; position < text.Length; position++)
        {
            int digit = Digit(text[position]);
            if (digit < 0 || digit >= radix)
            {
                break;
            }

            UInt128 next = ((UInt128)value * (uint)radix) + (uint)digit;
            if (next > ulong.MaxValue)
            {
                return false;
            }

            value = (ulong)next;
        }

        used = position;
        return position > start;
    }

    /// <summary>Writes a number in decimal without regard to the host's culture.</summary>
    public static string Decimal(ulong value) => value.ToString(CultureInfo.InvariantCulture);

    private static int Digit(char c)
    {
        if (char.IsAsciiDigit(c))
        {
            return c - '0';
        }

        int lower = c | 0x20;
        return c < 128 && lower is >= 'a' and <= 'z' ? lower - 'a' + 10 : -1;
    }
}
