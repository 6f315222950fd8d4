using System.Buffers.Binary;
using KprobeTrace.Cpu;

namespace KprobeTrace.Probes;

/// <summary>The fetch arguments of one definition, compiled to one array of steps that runs without allocating.</summary>
public sealed unsafe class FetchProgram
{
    /// <summary>The size of a kernel thread stack; stack words outside the aligned area read as 0.</summary>
    internal const ulong ThreadSize = 16384;

    /// <summary>The most bytes of a string, its terminating zero included.</summary>
    internal const int MaxStringLength = 4096;

    /// <summary>The first address that is not a user's.</summary>
    internal const ulong UserEnd = 0x7fff_ffff_f000;

    private readonly FetchInstruction[] _steps;

    /// <summary>Compiles the arguments of a definition.</summary>
    public FetchProgram(IReadOnlyList<ProbeArgument> arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        Arguments = arguments;
        List<FetchInstruction> steps = [];
        foreach (ProbeArgument argument in arguments)
        {
            steps.AddRange(argument.Steps);
        }

        _steps = [.. steps];
    }

    /// <summary>The arguments, in order.</summary>
    public IReadOnlyList<ProbeArgument> Arguments { get; }

    /// <summary>Creates a buffer that fits this program.</summary>
    public FetchBuffer CreateBuffer() => new(Arguments);

    /// <summary>Fetches every argument of a hit.</summary>
    /// <param name="registers">The frame of the hit; only read.</param>
    /// <param name="environment">Memory and the current task.</param>
    /// <param name="buffer">A buffer of <see cref="CreateBuffer"/>; what it held is overwritten.</param>
    public void Execute(PtRegs* registers, IFetchEnvironment environment, FetchBuffer buffer)
    {
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(buffer);
        buffer.Begin();
        int argument = 0;
        ulong value = 0;
        bool readable = true;
        foreach (ref readonly FetchInstruction step in _steps.AsSpan())
        {
            if (step.IsStore)
            {
                bool stored = Store(in step, value, readable, environment, buffer, buffer.MutableItems(argument));
                buffer.SetFaulted(argument, !stored);
                argument++;
                value = 0;
                readable = true;
                continue;
            }

            switch (step.Operation)
            {
                case FetchOperation.Register:
                    // SAFETY: the parser only emits indices of 64-bit fields of PtRegs.
                    value = ((ulong*)registers)[step.Parameter];
                    break;
                case FetchOperation.Immediate:
                    value = (ulong)step.Parameter;
                    break;
                case FetchOperation.Add:
                    value += (ulong)step.Parameter;
                    break;
                case FetchOperation.StackWord:
                    value = ReadStackWord(registers->Sp, step.Parameter, environment);
                    break;
                case FetchOperation.Pid:
                    value = (ulong)environment.CurrentPid;
                    break;
                case FetchOperation.Cpu:
                    value = (ulong)environment.CpuIndex;
                    break;
                case FetchOperation.Instructions:
                    value = environment.RetiredInstructions;
                    break;
                case FetchOperation.Dereference:
                    readable = readable && TryLoad(environment, false, value + (ulong)step.Parameter, 8, out value);
                    break;
                case FetchOperation.DereferenceUser:
                    readable = readable && TryLoad(environment, true, value + (ulong)step.Parameter, 8, out value);
                    break;
                default:
                    readable = readable
                        && TryLoad(environment, false, value + (ulong)step.Parameter, step.Size, out value);
                    break;
            }
        }
    }

    private static bool Store(
        in FetchInstruction step,
        ulong value,
        bool readable,
        IFetchEnvironment environment,
        FetchBuffer buffer,
        Span<ulong> items)
    {
        switch (step.Operation)
        {
            case FetchOperation.StoreValue:
                items[0] = readable ? Narrow(in step, value) : 0;
                return readable;
            case FetchOperation.StoreMemory:
            case FetchOperation.StoreUserMemory:
                return StoreMemory(in step, value + (ulong)step.Parameter, readable, environment, items);
            case FetchOperation.StoreString:
            case FetchOperation.StoreUserString:
                bool user = step.Operation == FetchOperation.StoreUserString;
                items[0] = readable
                    ? ReadString(environment, user, value + (ulong)step.Parameter, buffer)
                    : FetchBuffer.Fault;
                return items[0] != FetchBuffer.Fault;
            case FetchOperation.StoreStringArray:
            case FetchOperation.StoreUserStringArray:
            case FetchOperation.StoreUserPointerStringArray:
                return StoreStrings(in step, value + (ulong)step.Parameter, readable, environment, buffer, items);
            case FetchOperation.StoreSymbolText:
                items[0] = FetchBuffer.Fault;
                if (readable)
                {
                    items[0] = buffer.Commit(environment.FormatSymbol(value, buffer.Reserve(512)));
                }

                return readable;
            case FetchOperation.StoreComm:
                items[0] = buffer.Commit(environment.ReadComm(buffer.Reserve(16)));
                return true;
            default:
                ReadOnlySpan<byte> text = step.Text;
                text.CopyTo(buffer.Reserve(text.Length));
                items[0] = buffer.Commit(text.Length);
                return true;
        }
    }

    private static bool StoreMemory(
        in FetchInstruction step, ulong address, bool readable, IFetchEnvironment environment, Span<ulong> items)
    {
        bool user = step.Operation == FetchOperation.StoreUserMemory;
        bool all = readable;
        for (int i = 0; i < items.Length; i++)
        {
            ulong element = 0;
            if (!readable || !TryLoad(environment, user, address + ((ulong)i * step.Size), step.Size, out element))
            {
                all = false;
                items[i] = 0;
                continue;
            }

            items[i] = Narrow(in step, element);
        }

        return all;
    }

    private static bool StoreStrings(
        in FetchInstruction step,
        ulong address,
        bool readable,
        IFetchEnvironment environment,
        FetchBuffer buffer,
        Span<ulong> items)
    {
        bool userText = step.Operation != FetchOperation.StoreStringArray;
        bool userPointers = step.Operation == FetchOperation.StoreUserPointerStringArray;
        bool all = readable;
        for (int i = 0; i < items.Length; i++)
        {
            items[i] = FetchBuffer.Fault;
            if (readable && TryLoad(environment, userPointers, address + ((ulong)i * 8), 8, out ulong pointer))
            {
                items[i] = ReadString(environment, userText, pointer, buffer);
            }

            all &= items[i] != FetchBuffer.Fault;
        }

        return all;
    }

    private static ulong Narrow(in FetchInstruction step, ulong value)
    {
        int unused = 64 - (step.Size * 8);
        if (step.HasBitfield)
        {
            return value << (unused + step.BitLeft) >> (unused + step.BitRight);
        }

        return step.IsSigned ? (ulong)((long)(value << unused) >> unused) : value << unused >> unused;
    }

    private static ulong ReadStackWord(ulong stackPointer, long number, IFetchEnvironment environment)
    {
        ulong address = stackPointer + ((ulong)number * 8);
        bool inside = (address & ~(ThreadSize - 1)) == (stackPointer & ~(ThreadSize - 1));
        return inside && TryLoad(environment, false, address, 8, out ulong word) ? word : 0;
    }

    private static bool TryLoad(IFetchEnvironment environment, bool user, ulong address, int size, out ulong value)
    {
        ulong word = 0;
        Span<byte> bytes = new(&word, size);
        bool read = Read(environment, user, address, bytes);
        value = BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word);
        return read;
    }

    private static bool Read(IFetchEnvironment environment, bool user, ulong address, Span<byte> bytes)
    {
        bool inUserHalf = address < UserEnd;
        if (user && !inUserHalf)
        {
            return false;
        }

        // As the kernel does where user and kernel addresses cannot be confused, a low address is a user's.
        return inUserHalf ? environment.TryReadUser(address, bytes) : environment.TryReadKernel(address, bytes);
    }

    private static ulong ReadString(IFetchEnvironment environment, bool user, ulong address, FetchBuffer buffer)
    {
        int length = 0;
        Span<byte> room = buffer.Reserve(MaxStringLength);
        while (length < MaxStringLength)
        {
            ulong at = address + (ulong)length;
            int chunk = Math.Min(64 - (int)(at & 63), MaxStringLength - length);
            Span<byte> piece = room.Slice(length, chunk);
            if (!Read(environment, user, at, piece))
            {
                return FetchBuffer.Fault;
            }

            int zero = piece.IndexOf((byte)0);
            if (zero >= 0)
            {
                return buffer.Commit(length + zero);
            }

            length += chunk;
        }

        return buffer.Commit(MaxStringLength - 1);
    }
}
