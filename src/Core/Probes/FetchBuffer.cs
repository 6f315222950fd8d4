using System.Text;

namespace KprobeTrace.Probes;

/// <summary>The fetched values of one hit; reused from hit to hit.</summary>
/// <remarks>
/// Every argument has one item, or as many as its array has elements. A numeric item is the value, zero-extended to 64
/// bits or sign-extended for signed types. A string item is a location: see <see cref="Text"/>.
/// </remarks>
internal sealed class FetchBuffer
{
    private readonly int[] _first;
    private readonly ulong[] _items;
    private readonly bool[] _faulted;
    private readonly IReadOnlyList<ProbeArgument> _arguments;
    private byte[] _bytes = new byte[256];
    private int _used;

    internal FetchBuffer(IReadOnlyList<ProbeArgument> arguments)
    {
        _arguments = arguments;
        _first = new int[arguments.Count + 1];
        for (int i = 0; i < arguments.Count; i++)
        {
            _first[i + 1] = _first[i] + Math.Max(1, arguments[i].Count);
        }

        _items = new ulong[_first[^1]];
        _faulted = new bool[_items.Length];
    }

    /// <summary>The arguments the values belong to, in order.</summary>
    public IReadOnlyList<ProbeArgument> Arguments => _arguments;

    /// <summary>The numeric items of an argument: one, or the elements of its array.</summary>
    public ReadOnlySpan<ulong> Items(int argument) =>
        _items.AsSpan(_first[argument], _first[argument + 1] - _first[argument]);

    /// <summary>The first numeric item of an argument.</summary>
    public ulong Value(int argument) => _items[_first[argument]];

    /// <summary>True when an item, a number or a string, could not be read: it has no value then.</summary>
    public bool IsFaulted(int argument, int element = 0) => _faulted[_first[argument] + element];

    /// <summary>The bytes of a string item without a terminating zero; empty for a fault.</summary>
    public ReadOnlySpan<byte> Text(int argument, int element = 0)
    {
        ulong location = _items[_first[argument] + element];
        return IsFaulted(argument, element) ? default : _bytes.AsSpan((int)(location >> 32), (int)(uint)location);
    }

    /// <summary>Shows all arguments as ftrace prints them: <c>a=1 b="x" c={1,2}</c>; what could not be read is <c>(fault)</c>.</summary>
    /// <param name="symbols">Names the addresses of <c>symbol</c> arguments; without it they print in hexadecimal.</param>
    public string Format(IFetchEnvironment? symbols = null)
    {
        StringBuilder text = new();
        for (int i = 0; i < _arguments.Count; i++)
        {
            if (i > 0)
            {
                text.Append(' ');
            }

            text.Append(_arguments[i].Name).Append('=');
            FormatValue(text, i, symbols);
        }

        return text.ToString();
    }

    internal void Begin() => _used = 0;

    internal Span<ulong> MutableItems(int argument) =>
        _items.AsSpan(_first[argument], _first[argument + 1] - _first[argument]);

    /// <summary>Which of an argument's items could not be read.</summary>
    internal Span<bool> MutableFaults(int argument) =>
        _faulted.AsSpan(_first[argument], _first[argument + 1] - _first[argument]);

    /// <summary>Room for at least a number of bytes behind what is stored.</summary>
    internal Span<byte> Reserve(int length)
    {
        if (_bytes.Length - _used < length)
        {
            Array.Resize(ref _bytes, _used + length);
        }

        return _bytes.AsSpan(_used);
    }

    /// <summary>Keeps the first bytes of the reserved room as a string and returns its location.</summary>
    internal ulong Commit(int length)
    {
        ulong location = ((ulong)_used << 32) | (uint)length;
        _used += length;
        return location;
    }

    private void FormatValue(StringBuilder text, int argument, IFetchEnvironment? symbols)
    {
        int count = _arguments[argument].Count;
        if (count == 0)
        {
            FormatItem(text, argument, 0, symbols);
            return;
        }

        text.Append('{');
        for (int element = 0; element < count; element++)
        {
            if (element > 0)
            {
                text.Append(',');
            }

            FormatItem(text, argument, element, symbols);
        }

        text.Append('}');
    }

    private void FormatItem(StringBuilder text, int argument, int element, IFetchEnvironment? symbols)
    {
        if (IsFaulted(argument, element))
        {
            text.Append("(fault)");
            return;
        }

        ulong item = _items[_first[argument] + element];
        switch (_arguments[argument].Type.Kind)
        {
            case FetchValueKind.UnsignedNumber:
                text.Append(ProbeNumber.Decimal(item));
                break;
            case FetchValueKind.SignedNumber:
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{(long)item}");
                break;
            case FetchValueKind.Text:
                text.Append('"').Append(Encoding.UTF8.GetString(Text(argument, element))).Append('"');
                break;
            case FetchValueKind.Symbol when symbols is not null:
                Span<byte> name = stackalloc byte[512];
                text.Append(Encoding.UTF8.GetString(name[..symbols.FormatSymbol(item, name)]));
                break;
            default:
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"0x{item:x}");
                break;
        }
    }
}
