using System.Globalization;

namespace KprobeTrace.Symbols;

/// <content>Member accesses as probe definitions write them.</content>
public sealed partial class Btf
{
    private const int MaxAccessSteps = 16;

    /// <summary>Works out how to reach what an access expression names.</summary>
    /// <param name="type">Number of the type of the value the expression is applied to.</param>
    /// <param name="expression">
    /// A row of <c>-&gt;member</c>, <c>.member</c> and <c>[index]</c>, such as <c>-&gt;dentry-&gt;d_name.name</c>.
    /// <c>-&gt;</c> wants a pointer to a structure before it, <c>.</c> a structure, <c>[</c> a pointer or an array.
    /// </param>
    /// <param name="access">How to reach the object.</param>
    /// <param name="error">What is wrong with the expression, otherwise null.</param>
    /// <param name="errorAt">Index of the character in the expression that the error is about.</param>
    public bool TryResolveAccess(
        int type, ReadOnlySpan<char> expression, out BtfAccess? access, out string? error, out int errorAt)
    {
        access = null;
        List<long> offsets = [0];
        bool isObject = false;
        BtfType current = Resolve(type);
        uint bitOffset = 0;
        uint bitSize = 0;
        int currentId = type;
        int at = 0;
        while (at < expression.Length)
        {
            errorAt = at;
            if (bitSize != 0 || offsets.Count > MaxAccessSteps)
            {
                error = bitSize != 0 ? "a bit-field has no members" : "the access goes through too many pointers";
                return false;
            }

            if (expression[at] == '[')
            {
                if (!TryIndex(expression, ref at, out long index, out error)
                    || !TryEnter(current, isObject, offsets, wantsPointer: current.Kind != BtfKind.Array, out error))
                {
                    return false;
                }

                currentId = current.Target;
                ulong size = SizeOf(currentId);
                if (size == 0 || size > int.MaxValue)
                {
                    error = $"elements of type {NameOf(currentId)} have no size";
                    return false;
                }

                offsets[^1] += index * (long)size;
            }
            else
            {
                bool arrow = expression[at..].StartsWith("->");
                if (!arrow && expression[at] != '.')
                {
                    error = "expected '->', '.' or '['";
                    return false;
                }

                at += arrow ? 2 : 1;
                errorAt = at;
                int length = NameLength(expression[at..]);
                if (length == 0)
                {
                    error = "expected a member's name";
                    return false;
                }

                string name = expression.Slice(at, length).ToString();
                if (!TryEnter(current, isObject, offsets, arrow, out error))
                {
                    return false;
                }

                BtfType structure = arrow ? Resolve(current.Target) : current;
                if (FindMember(structure, name) is not BtfMember member)
                {
                    error = structure.Kind is BtfKind.Struct or BtfKind.Union
                        ? $"{NameOf(structure.Id)} has no member '{name}'"
                        : $"{NameOf(structure.Id)} is no structure";
                    return false;
                }

                at += length;
                currentId = member.Type;
                offsets[^1] += member.Offset;
                bitOffset = member.BitOffset % 8;
                bitSize = member.BitSize;
            }

            isObject = true;
            current = Resolve(currentId);
        }

        error = null;
        errorAt = 0;
        access = new BtfAccess(offsets, currentId, bitSize == 0 ? 0 : bitOffset, bitSize);
        return true;
    }

    // The value the access starts from is in a register: its first dereference costs no load.
    private bool TryEnter(BtfType type, bool isObject, List<long> offsets, bool wantsPointer, out string? error)
    {
        error = null;
        if (wantsPointer)
        {
            if (type.Kind != BtfKind.PointerTo)
            {
                error = $"{NameOf(type.Id)} is no pointer; use '.'";
                return false;
            }

            if (isObject)
            {
                offsets.Add(0);
            }

            return true;
        }

        if (type.Kind == BtfKind.PointerTo || !isObject)
        {
            error = type.Kind == BtfKind.PointerTo
                ? $"{NameOf(type.Id)} is a pointer; use '->'"
                : $"a value of type {NameOf(type.Id)} has no members";
            return false;
        }

        return true;
    }

    private static bool TryIndex(ReadOnlySpan<char> expression, ref int at, out long index, out string? error)
    {
        index = 0;
        int end = expression[at..].IndexOf(']');
        if (end < 2 || !int.TryParse(
            expression.Slice(at + 1, end - 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value))
        {
            error = "expected a number in brackets";
            return false;
        }

        index = value;
        at += end + 1;
        error = null;
        return true;
    }

    private static int NameLength(ReadOnlySpan<char> text)
    {
        int length = 0;
        while (length < text.Length && (char.IsAsciiLetterOrDigit(text[length]) || text[length] == '_'))
        {
            length++;
        }

        return length;
    }
}
