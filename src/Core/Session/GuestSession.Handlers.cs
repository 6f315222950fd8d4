using System.Buffers.Binary;
using KprobeTrace.Cpu;
using KprobeTrace.Guest;
using KprobeTrace.Machine;
using KprobeTrace.Probes;
using KprobeTrace.Symbols;

namespace KprobeTrace.Session;

/// <content>What handlers ask of the guest and do to it, at the moment of a hit.</content>
public sealed unsafe partial class GuestSession
{
    /// <summary>Virtual time in nanoseconds.</summary>
    public long Now => Machine.Now;

    /// <summary>Instructions retired so far.</summary>
    public long Retired => Machine.Retired;

    /// <summary>The processor that runs, counted from 0.</summary>
    public int Cpu => Environment.CpuIndex;

    /// <summary>The task that runs; all zero in a guest that is not Linux, and while Linux has none.</summary>
    public CurrentTask Task => Environment.Current();

    /// <summary>Runs the guest to its end, to <see cref="Stop"/>, or until <paramref name="limit"/> instructions have retired in all.</summary>
    /// <exception cref="InvalidOperationException">It runs already: this was called from a handler, or from another thread.</exception>
    /// <exception cref="KprobeTraceException">The guest asked for what is not built.</exception>
    public PowerState Run(long limit = long.MaxValue)
    {
        Kprobes.SettleSaved();
        return Machine.Run(limit);
    }

    /// <summary>Makes <see cref="Run"/> return before the next instruction; may be called from any thread.</summary>
    public void Stop() => Machine.Stop();

    /// <summary>
    /// Reads memory of the kernel, or of the task that runs where the address is a user's; all bytes or none. No trace is left in the
    /// guest: no page fault, no accessed bit.
    /// </summary>
    public bool TryRead(ulong address, Span<byte> into) =>
        (long)address < 0 ? Environment.TryReadKernel(address, into) : Environment.TryReadUser(address, into);

    /// <summary>Writes what <see cref="TryRead"/> reads, whatever rights the page tables give; all bytes or none.</summary>
    /// <remarks>No dirty bit is set. Where code is written, the processor runs the new bytes from its next instruction on.</remarks>
    public bool TryWrite(ulong address, ReadOnlySpan<byte> bytes) =>
        Machine.Processors.Running.TryPoke(address, bytes, (long)address < 0 ? _kernelTranslation : null);

    /// <summary>Makes an argument that handlers read, in the language of definitions: <c>path-&gt;dentry-&gt;d_name.name:string</c>.</summary>
    /// <param name="argument">The argument, with or without a name before it.</param>
    /// <param name="function">The probed function, whose parameters the argument may name; empty where it names none.</param>
    /// <exception cref="ProbeSyntaxException">The argument is refused; the message carries the caret.</exception>
    public GuestArgument Argument(string argument, string function = "")
    {
        ArgumentNullException.ThrowIfNull(argument);
        ArgumentNullException.ThrowIfNull(function);
        string place = function.Length > 0 ? function : "0x0";
        ProbeDefinition definition = ProbeDefinition.Parse($"p {place} {argument}", Target);
        return definition.Arguments.Count == 1
            ? new GuestArgument(definition, Environment)
            : throw new ArgumentException($"'{argument}' is {definition.Arguments.Count} arguments, not one", nameof(argument));
    }

    /// <summary>Reads a member of a structure by the kernel's types; false where there is no such member, or its memory cannot be read.</summary>
    /// <param name="structure">The structure's name, as in <c>task_struct</c>.</param>
    /// <param name="member">The member's name; also one of an unnamed part.</param>
    /// <param name="address">Where the structure lies.</param>
    /// <param name="value">A number of up to eight bytes, extended by its sign.</param>
    public bool TryReadMember(string structure, string member, ulong address, out long value)
    {
        value = 0;
        if (Types?.FindStruct(structure) is not BtfType type || Types.FindMember(type, member) is not BtfMember found)
        {
            return false;
        }

        BtfScalar scalar = Types.ScalarOf(found.Type);
        uint bits = found.BitSize > 0 ? found.BitSize : scalar.Size * 8;
        uint shift = found.BitOffset % 8;
        bool isNumber = scalar.Kind is BtfKind.IntegerNumber or BtfKind.PointerTo or BtfKind.Enum or BtfKind.Enum64;
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        bytes.Clear();
        if (!isNumber || bits == 0 || shift + bits > 64 || !TryRead(address + found.Offset, bytes[..(int)((shift + bits + 7) / 8)]))
        {
            return false;
        }

        int unused = 64 - (int)bits;
        ulong raw = BinaryPrimitives.ReadUInt64LittleEndian(bytes) >> (int)shift << unused;
        value = scalar.IsSigned ? (long)raw >> unused : (long)(raw >> unused);
        return true;
    }

    /// <summary>The kernel call stack of a hit, innermost caller first.</summary>
    /// <param name="registers">The registers of the hit.</param>
    /// <param name="address">The probed address.</param>
    /// <param name="into">Where the return addresses go.</param>
    /// <returns>How many were found; none in a guest that is not Linux.</returns>
    public int WalkStack(ref PtRegs registers, ulong address, Span<ulong> into)
    {
        fixed (PtRegs* frame = &registers)
        {
            return Environment.WalkStack(frame, address, into);
        }
    }
}
