using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace KprobeTrace.Fuzz.Soak;

/// <summary>Counts the entries of every collection, array and string that an object holds, by the fields that lead to them.</summary>
/// <remarks>What grows while a guest runs for ever is found by its name, which a count of bytes would not tell.</remarks>
internal sealed class HeldEntries
{
    private static readonly MethodInfo _holdsReferences =
        typeof(RuntimeHelpers).GetMethod(nameof(RuntimeHelpers.IsReferenceOrContainsReferences))!;

    private readonly HashSet<object> _seen = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);

    private HeldEntries()
    {
    }

    /// <summary>Counts what <paramref name="root"/> holds; a path names types and fields, elements share the path of their array.</summary>
    public static IReadOnlyDictionary<string, long> Count(object root)
    {
        HeldEntries held = new();
        Queue<(object Value, string Path)> open = new();
        open.Enqueue((root, root.GetType().Name));
        while (open.TryDequeue(out (object Value, string Path) next))
        {
            held.Visit(next.Value, next.Path, open);
        }

        return held._counts;
    }

    private void Visit(object value, string path, Queue<(object Value, string Path)> open)
    {
        Type type = value.GetType();
        if (value is string or Pointer || type.IsPrimitive || type.IsEnum || (!type.IsValueType && !_seen.Add(value)))
        {
            return;
        }

        if (value is Array array)
        {
            VisitArray(array, path, open);
            return;
        }

        // Its entries in use are what counts: the arrays behind them grow by doubling, and the walk comes to them as well.
        if (value is ICollection collection)
        {
            Add(path + "#", collection.Count);
        }
        else if (type.GetProperty("Count", typeof(int)) is PropertyInfo count && count.GetIndexParameters().Length == 0
            && type.IsGenericType && type.Namespace == "System.Collections.Generic")
        {
            Add(path + "#", (int)count.GetValue(value)!);
        }

        if (value is MemberInfo or Assembly or Module or Thread or Stream or WeakReference)
        {
            return;
        }

        for (Type? declaring = type; declaring != null && declaring != typeof(object); declaring = declaring.BaseType)
        {
            foreach (FieldInfo field in declaring.GetFields(
                BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                if (!field.FieldType.IsPointer && !field.FieldType.IsFunctionPointer && !field.FieldType.IsByRefLike && !IsLeaf(field.FieldType)
                    && field.GetValue(value) is object held)
                {
                    open.Enqueue((held, $"{Root(path)}.{field.Name.Trim('<', '>')}"));
                }
            }
        }
    }

    private void VisitArray(Array array, string path, Queue<(object Value, string Path)> open)
    {
        Add(path + "[]", array.Length);
        Type element = array.GetType().GetElementType()!;
        if (element.IsPointer || IsLeaf(element) || (element.IsValueType && !HoldsReferences(element)))
        {
            return;
        }

        foreach (object? held in array)
        {
            if (held is not null)
            {
                open.Enqueue((held, path));
            }
        }
    }

    private void Add(string path, long count) => _counts[path] = _counts.GetValueOrDefault(path) + count;

    // Chains of objects that hold each other would make names without end.
    private static string Root(string path)
    {
        const int longest = 120;
        return path.Length <= longest ? path : path[..longest];
    }

    private static bool HoldsReferences(Type type) =>
        (bool)_holdsReferences.MakeGenericMethod(type).Invoke(null, null)!;

    private static bool IsLeaf(Type type) => type.IsPrimitive || type.IsEnum || type == typeof(string) || type == typeof(decimal);
}
