using System.Text;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>What of an event's arguments must be equal for the event to be.</summary>
/// <remarks>
/// For runs of one image all of them; otherwise only texts and small numbers, because addresses differ from kernel to
/// kernel without meaning anything.
/// </remarks>
internal static class DiffContent
{
    private const uint Seed = 2166136261;
    private const uint Prime = 16777619;
    private const int SmallDigits = 6;

    /// <summary>A hash of the arguments, which are JSON, without those whose names are in <paramref name="ignored"/>.</summary>
    internal static uint Hash(ReadOnlySpan<byte> arguments, bool sameImage, byte[][]? ignored)
    {
        if (ignored is null)
        {
            return Add(Seed, arguments, sameImage);
        }

        uint hash = Seed;
        ArgumentReader reader = new(arguments);
        for (int start = reader.Position; reader.NextName(out ReadOnlySpan<byte> name); start = reader.Position)
        {
            _ = reader.Skip();
            if (!Contains(ignored, name))
            {
                hash = Add(hash, arguments[start..Math.Min(reader.Position, arguments.Length)], sameImage);
            }

            reader.NextValue();
        }

        return hash;
    }

    /// <summary>The arguments in which two events differ, by what counts.</summary>
    /// <param name="a">The first event's arguments, as JSON.</param>
    /// <param name="b">The second event's arguments, as JSON.</param>
    /// <param name="sameImage">True where addresses count.</param>
    /// <param name="kindOf">The kind of an argument by its name.</param>
    /// <param name="ignored">Names that do not count.</param>
    internal static List<DiffArgument> Differences(
        ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, bool sameImage, Func<string, ArgumentKind> kindOf, byte[][]? ignored)
    {
        Dictionary<string, string> inA = Values(a);
        Dictionary<string, string> inB = Values(b);
        List<DiffArgument> list = [];
        foreach (string name in inA.Keys.Union(inB.Keys))
        {
            string valueA = inA.GetValueOrDefault(name, "");
            string valueB = inB.GetValueOrDefault(name, "");
            bool counts = ignored is null || !Contains(ignored, Encoding.UTF8.GetBytes(name));
            if (counts && valueA != valueB && HashOf(valueA, sameImage) != HashOf(valueB, sameImage))
            {
                list.Add(new DiffArgument(name, ArgumentText.Plain(valueA, kindOf(name)), ArgumentText.Plain(valueB, kindOf(name))));
            }
        }

        return list;
    }

    private static uint HashOf(string value, bool sameImage) => Add(Seed, Encoding.UTF8.GetBytes(":" + value), sameImage);

    private static bool Contains(byte[][] names, ReadOnlySpan<byte> name)
    {
        foreach (byte[] one in names)
        {
            if (name.SequenceEqual(one))
            {
                return true;
            }
        }

        return false;
    }

    private static uint Add(uint hash, ReadOnlySpan<byte> text, bool sameImage)
    {
        if (sameImage)
        {
            foreach (byte value in text)
            {
                hash = (hash ^ value) * Prime;
            }

            return hash;
        }

        int i = 0;
        while (i < text.Length)
        {
            byte value = text[i];
            if (value == (byte)'"')
            {
                int start = i;
                SkipText(text, ref i);
                i = Math.Min(i, text.Length);
                hash = Add(hash, text[start..i], sameImage: true);
                continue;
            }

            if (IsOfNumber(value) && i > 0 && text[i - 1] is (byte)':' or (byte)',' or (byte)'[')
            {
                int start = i;
                while (i < text.Length && IsOfNumber(text[i]))
                {
                    i++;
                }

                if (i - start <= SmallDigits + (value == (byte)'-' ? 1 : 0))
                {
                    hash = Add(hash, text[start..i], sameImage: true);
                }

                continue;
            }

            hash = (hash ^ value) * Prime;
            i++;
        }

        return hash;
    }

    private static bool IsOfNumber(byte value) => value is (byte)'-' or (>= (byte)'0' and <= (byte)'9');

    private static void SkipText(ReadOnlySpan<byte> json, ref int at)
    {
        for (at++; at < json.Length && json[at] != (byte)'"'; at++)
        {
            at += json[at] == (byte)'\\' ? 1 : 0;
        }

        at++;
    }

    private static Dictionary<string, string> Values(ReadOnlySpan<byte> json)
    {
        Dictionary<string, string> values = [];
        ArgumentReader reader = new(json);
        while (reader.NextName(out ReadOnlySpan<byte> name) && reader.Skip())
        {
            values[Encoding.UTF8.GetString(name)] = Encoding.UTF8.GetString(reader.Raw);
            reader.NextValue();
        }

        return values;
    }
}
