using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace KprobeTrace.Tools;

/// <summary>Makes options take a number of a range, and say in one sentence what they want where they are given anything else.</summary>
internal static class NumberOption
{
    /// <summary>The option, which takes a whole number.</summary>
    public static Option<T> Whole<T>(this Option<T> option, T least, T? most = null)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        option.CustomParser = result => Parse(result, 0, option.Name, NumberStyles.AllowLeadingSign, least, most);
        return option;
    }

    /// <summary>The same, for an option that is null where it is not given.</summary>
    public static Option<T?> Whole<T>(this Option<T?> option, T least, T? most = null)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        option.CustomParser = result => Parse(result, 0, option.Name, NumberStyles.AllowLeadingSign, least, most);
        return option;
    }

    /// <summary>The same, for an option that may be given several times; none unless it is given.</summary>
    public static Option<T[]> Whole<T>(this Option<T[]> option, T least, T? most = null)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        option.DefaultValueFactory = static _ => [];
        option.CustomParser = result =>
            [.. Enumerable.Range(0, result.Tokens.Count).Select(i => Parse(result, i, option.Name, NumberStyles.AllowLeadingSign, least, most))];
        return option;
    }

    /// <summary>The option, which takes a number that may have decimals.</summary>
    public static Option<double> Real(this Option<double> option, double least, double most)
    {
        option.CustomParser = result => Parse(result, 0, option.Name, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, least, (double?)most);
        return option;
    }

    private static T Parse<T>(ArgumentResult result, int token, string name, NumberStyles styles, T least, T? most)
        where T : struct, INumber<T>, IMinMaxValue<T>
    {
        string text = result.Tokens[token].Value;
        if (T.TryParse(text, styles, CultureInfo.InvariantCulture, out T value) && value >= least && value <= (most ?? T.MaxValue))
        {
            return value;
        }

        // What is a number but more than any counts is told the bound that it passed.
        bool tooLarge = text.Length > 9 && text.All(char.IsAsciiDigit);
        string range = most is not null || tooLarge ? $" from {least} to {most ?? T.MaxValue}" : least == T.MinValue ? "" : $" of at least {least}";
        result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} wants a number{range}, not '{text}'"));
        return default;
    }
}
