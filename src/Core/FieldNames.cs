using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text;

namespace KprobeTrace;

/// <summary>Names of a struct's fields as users write them: <c>OrigAx</c> is <c>orig_ax</c>.</summary>
/// <remarks>Where a struct and a list of names stood side by side, one could be changed without the other.</remarks>
internal static class FieldNames
{
    /// <summary>The fields of <typeparamref name="T"/> in the order in which they are declared.</summary>
    internal static string[] Of<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.NonPublicFields)] T>()
        where T : struct =>
        [.. typeof(T).GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).OrderBy(static f => f.MetadataToken).Select(static f => Written(f.Name))];

    private static string Written(string name)
    {
        StringBuilder text = new();
        foreach (char c in name)
        {
            _ = char.IsAsciiLetterUpper(c) && text.Length > 0 ? text.Append('_') : text;
            _ = text.Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }
}
