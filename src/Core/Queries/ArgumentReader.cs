using System.Buffers.Text;
using System.Runtime.CompilerServices;

namespace KprobeTrace.Queries;

/// <summary>Reads an event's arguments out of the JSON that the history holds, value by value.</summary>
/// <remarks>
/// The JSON is what the import wrote: one flat object, arguments in order, no blanks, names without escapes. A database may still hold
/// anything; what does not parse ends the arguments early and nothing else.
/// </remarks>
internal ref struct ArgumentReader(ReadOnlySpan<byte> json)
{
    private readonly ReadOnlySpan<byte> _json = json;

    /// <summary>Offset in the JSON of what comes next; at first behind the brace.</summary>
    internal int Position { get; private set; } = 1;

    /// <summary>The value, where <see cref="Read"/> came to a number.</summary>
    internal long Number { get; private set; }

    /// <summary>The text or word that <see cref="Read"/> came by, or the value that <see cref="Skip"/> did, as it stands there.</summary>
    internal ReadOnlySpan<byte> Raw { get; private set; }

    /// <summary>Comes to the next argument, if there is one, and stands before its value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool NextName(out ReadOnlySpan<byte> name)
    {
        name = default;
        if (Position >= _json.Length || _json[Position] != (byte)'"')
        {
            return false;
        }

        int end = _json[(Position + 1)..].IndexOf((byte)'"');
        if (end < 0)
        {
            return false;
        }

        name = _json.Slice(Position + 1, end);
        Position = Math.Min(Position + end + 3, _json.Length);
        return true;
    }

    /// <summary>Steps over the comma behind a value, or the brace that ends them all.</summary>
    internal void NextValue() => Position++;

    /// <summary>Steps over the comma between two elements of an array, if it is there.</summary>
    internal bool AtComma() => StepOver((byte)',');

    /// <summary>Steps over the end of an array, if it is there or all ends there.</summary>
    internal bool AtEndOfArray()
    {
        if (Position < _json.Length)
        {
            return StepOver((byte)']');
        }

        Position++;
        return true;
    }

    /// <summary>Reads a value that is no array, or the beginning of one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ArgumentToken Read()
    {
        ReadOnlySpan<byte> all = _json;
        int start = Position;
        if ((uint)start >= (uint)all.Length)
        {
            return ArgumentToken.None;
        }

        switch (all[start])
        {
            case (byte)'"':
                return SkipText() ? Token(ArgumentToken.Text, start) : ArgumentToken.None;
            case (byte)'[':
                Position++;
                return ArgumentToken.ArrayStart;
            default:
                break;
        }

        if (Utf8Parser.TryParse(all[start..], out long number, out int used)
            && (start + used >= all.Length || all[start + used] is (byte)',' or (byte)'}' or (byte)']'))
        {
            Position = start + used;
            Number = number;
            return ArgumentToken.Number;
        }

        int end = all[start..].IndexOfAny(",}]"u8);
        if (end <= 0)
        {
            return ArgumentToken.None;
        }

        Position += end;
        return Token(all.Slice(start, end).SequenceEqual("null"u8) ? ArgumentToken.Null : ArgumentToken.Word, start);
    }

    /// <summary>Steps over a whole value, however nested; false where it does not end.</summary>
    internal bool Skip()
    {
        int start = Position;
        int depth = 0;
        while (Position < _json.Length)
        {
            switch (_json[Position])
            {
                case (byte)'"':
                    if (!SkipText())
                    {
                        return false;
                    }

                    continue;
                case (byte)'[' or (byte)'{':
                    depth++;
                    break;
                case (byte)']' or (byte)'}' when depth > 0:
                    depth--;
                    break;
                case (byte)',' or (byte)'}' when depth == 0:
                    _ = Token(ArgumentToken.None, start);
                    return true;
                default:
                    break;
            }

            Position++;
        }

        _ = Token(ArgumentToken.None, start);
        return depth == 0 && Position > start;
    }

    private bool StepOver(byte mark)
    {
        bool isThere = Position < _json.Length && _json[Position] == mark;
        Position += isThere ? 1 : 0;
        return isThere;
    }

    private ArgumentToken Token(ArgumentToken token, int start)
    {
        Raw = _json[start..Position];
        return token;
    }

    /// <summary>Steps over a text; false where it does not end.</summary>
    private bool SkipText()
    {
        ReadOnlySpan<byte> all = _json;
        int at = Position + 1;
        while (at < all.Length && all[at] != (byte)'"')
        {
            at += all[at] == (byte)'\\' ? 2 : 1;
        }

        bool ends = at < all.Length;
        Position = ends ? at + 1 : all.Length;
        return ends;
    }
}
