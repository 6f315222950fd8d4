using KprobeTrace.Probes;
using KprobeTrace.Tracing;

namespace KprobeTrace.Recording;

/// <summary>Encodes the fetched arguments of a hit as the MessagePack array that an event carries.</summary>
/// <remarks>
/// Numbers are integers, strings str (bin where the guest's bytes are no UTF-8), arrays arrays, and nil stands for what
/// could not be read. The buffer is kept from hit to hit.
/// </remarks>
internal sealed class ArgumentEncoder
{
    private readonly MessagePackSink _writer = new(512);

    /// <summary>Encodes all arguments; the result is good until the next call.</summary>
    public ReadOnlySpan<byte> Encode(FetchBuffer values)
    {
        IReadOnlyList<ProbeArgument> arguments = values.Arguments;
        if (arguments.Count == 0)
        {
            return default;
        }

        _writer.Clear();
        _writer.WriteArrayHeader(arguments.Count);
        for (int i = 0; i < arguments.Count; i++)
        {
            Put(values, i, arguments[i]);
        }

        return _writer.Written;
    }

    private void Put(FetchBuffer values, int index, ProbeArgument argument)
    {
        int elements = argument.Count;
        if (elements > 0)
        {
            _writer.WriteArrayHeader(elements);
        }

        for (int element = 0; element < Math.Max(1, elements); element++)
        {
            if (values.IsFaulted(index, element))
            {
                _writer.WriteNil();
            }
            else if (argument.Type.IsString)
            {
                _writer.WriteGuestText(values.Text(index, element));
            }
            else if (argument.Type.IsSigned)
            {
                _writer.WriteCoarse((long)values.Items(index)[element]);
            }
            else
            {
                _writer.WriteCoarse(values.Items(index)[element]);
            }
        }
    }
}
