using System.Text;
using KprobeTrace.Fuzz.Engine;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Text in the grammar of probe definitions and filters, or nearly.</summary>
internal static class ProbeText
{
    private static readonly string[] _places = ["fn", "fn+4", "nextfn", "dup", "nosuch", "mod:fn", "0xffffffff81000000", "fn+0x", "fn%return", "+4", "fn-1", ":", "fn+99999999999999999999"];
    private static readonly string[] _types = ["u8", "s16", "u32", "u64", "x8", "x64", "string", "ustring", "symbol", "char", "b3@2/32", "b64@1/64", "b0@0/8", "u8[4]", "string[3]", "char[0]", "u64[65]", "symstr", "void", "", "u8[", "b99@99/99", "%pd", "%pD"];
    private static readonly string[] _registers = ["ax", "di", "si", "sp", "ip", "r15", "flags", "nosuch", "", "cs"];
    private static readonly string[] _specials = ["$stack", "$stack0", "$stack9", "$stack99999999999", "$retval", "$comm", "$COMM", "$arg1", "$arg6", "$arg0", "$arg*", "$", "stack", "path", "count", "name", "path->dentry", "path->dentry->name.len", "name[0]", "\\42", "\\\"text\"", "\\0xffffffffffffffff", "@datasym", "@datasym+8", "@0x1000", "@nosuch", "@"];

    public static string Definition(FuzzRandom random)
    {
        StringBuilder text = new();
        text.Append(random.Pick("p", "p", "r", "r16", "r99999999999", "-", "t", "P", ""));
        if (!random.OneIn(3))
        {
            text.Append(':').Append(random.Pick("ev", "grp/ev", "g/", "/", "ev-1", "0ev", new string('e', random.Next(70))));
        }

        text.Append(' ').Append(random.Pick<string>(_places));
        for (int i = random.OneIn(20) ? random.Next(150) : random.Next(5); i > 0; i--)
        {
            text.Append(random.Pick(" ", " ", "  ", "\t"));
            if (random.OneIn(2))
            {
                text.Append(random.Pick("a", "b", "arg1", "__probe_ip", "common_pid", "1x", "")).Append('=');
            }

            Argument(random, text, 0);
            if (random.OneIn(2))
            {
                text.Append(':').Append(random.Pick<string>(_types));
            }
        }

        return Spoil(random, text);
    }

    public static string Filter(FuzzRandom random)
    {
        StringBuilder text = new();
        Filter(random, text, 0);
        return Spoil(random, text);
    }

    private static string Spoil(FuzzRandom random, StringBuilder text)
    {
        for (int i = random.OneIn(3) ? random.Next(4) : 0; i > 0 && text.Length > 0; i--)
        {
            int at = random.Next(text.Length);
            _ = random.Next(3) switch
            {
                0 => text.Remove(at, Math.Min(text.Length - at, random.Next(1, 5))),
                1 => text.Insert(at, random.Pick("(", ")", "+", "%", "$", "\"", "\\", "é", "\0", "\n", "99999999999999999999", "-", "]", "[", "𝄞")),
                _ => text.Insert(at, text.ToString(at, Math.Min(text.Length - at, random.Next(1, 30)))),
            };
        }

        return text.ToString();
    }

    private static void Argument(FuzzRandom random, StringBuilder text, int depth)
    {
        if (depth < 70 && random.OneIn(depth == 0 ? 2 : 3) && !random.OneIn(40))
        {
            int levels = random.OneIn(30) ? random.Next(80) : 1;
            for (int i = 0; i < levels; i++)
            {
                text.Append(random.Pick('+', '+', '-')).Append(random.Pick("0", "8", "0x10", "u8", "-4", "0xffffffffffffffff", "")).Append('(');
            }

            Argument(random, text, depth + levels);
            text.Append(')', random.OneIn(20) ? random.Next(4) : levels);
            return;
        }

        text.Append(random.Next(3) == 0 ? "%" + random.Pick<string>(_registers) : random.Pick<string>(_specials));
    }

    private static void Filter(FuzzRandom random, StringBuilder text, int depth)
    {
        if (depth < 60 && random.OneIn(3))
        {
            int levels = random.OneIn(20) ? random.Next(100) : 1;
            text.Append(random.OneIn(4) ? "!" : "").Append('(', levels);
            Filter(random, text, depth + levels);
            text.Append(random.Pick(" && ", " || ", "&&", "||", " & "));
            Filter(random, text, depth + levels);
            text.Append(')', levels);
            return;
        }

        text.Append(random.Pick("a", "b", "count", "name", "common_pid", "COMM", "comm", "CPU", "__probe_ip", "nosuch", "text"))
            .Append(random.Pick(" ", "")).Append(random.Pick("==", "!=", "<", "<=", ">", ">=", "&", "~", "=", "=~")).Append(random.Pick(" ", ""))
            .Append(random.Pick("1", "-1", "0x10", "0777", "\"cat\"", "\"*a*\"", "'x?y'", "\"" + new string('*', 40) + "\"", "18446744073709551615", "18446744073709551616", "\"", "fn", "0-3", ""));
    }
}
