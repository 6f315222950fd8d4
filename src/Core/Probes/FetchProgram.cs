using System.Buffers.Binary;
using KprobeTrace.Cpu;

namespace KprobeTrace.Probes;

/// <summary>The fetch arguments of one definition, compiled to one array of steps that runs without allocating.</summary>
internal sealed unsafe class FetchProgram
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
                Store(in step, value, readable, environment, buffer, argument);
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
                    readable = TryReadStackWord(registers->Sp, step.Parameter, environment, out value);
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

    /// <summary>Stores an argument's items, and which of them could not be read.</summary>
    private static void Store(
        in FetchInstruction step,
        ulong value,
        bool readable,
        IFetchEnvironment environment,
        FetchBuffer buffer,
        int argument)
    {
        Span<ulong> items = buffer.MutableItems(argument);
        Span<bool> faults = buffer.MutableFaults(argument);
        items.Clear();
        faults.Fill(!readable);
        if (!readable)
        {
            return;
        }

        switch (step.Operation)
        {
            case FetchOperation.StoreValue:
                items[0] = Narrow(in step, value);
                break;
            case FetchOperation.StoreMemory:
            case FetchOperation.StoreUserMemory:
                StoreMemory(in step, value + (ulong)step.Parameter, environment, items, faults);
                break;
            case FetchOperation.StoreString:
            case FetchOperation.StoreUserString:
                bool user = step.Operation == FetchOperation.StoreUserString;
                faults[0] = !TryReadString(environment, user, value + (ulong)step.Parameter, buffer, out items[0]);
                break;
            case FetchOperation.StoreStringArray:
            case FetchOperation.StoreUserStringArray:
            case FetchOperation.StoreUserPointerStringArray:
                StoreStrings(in step, value + (ulong)step.Parameter, environment, buffer, items, faults);
                break;
            case FetchOperation.StoreSymbolText:
                items[0] = buffer.Commit(environment.FormatSymbol(value, buffer.Reserve(512)));
                break;
            case FetchOperation.StoreComm:
                items[0] = buffer.Commit(environment.ReadComm(buffer.Reserve(16)));
                break;
            default:
                ReadOnlySpan<byte> text = step.Text;
                text.CopyTo(buffer.Reserve(text.Length));
                items[0] = buffer.Commit(text.Length);
                break;
        }
    }

    private static void StoreMemory(
        in FetchInstruction step, ulong address, IFetchEnvironment environment, Span<ulong> items, Span<bool> faults)
    {
        bool user = step.Operation == FetchOperation.StoreUserMemory;
        for (int i = 0; i < items.Length; i++)
        {
            faults[i] = !TryLoad(environment, user, address + ((ulong)i * step.Size), step.Size, out ulong element);
            items[i] = faults[i] ? 0 : Narrow(in step, element);
        }
    }

    private static void StoreStrings(
        in FetchInstruction step,
        ulong address,
        IFetchEnvironment environment,
        FetchBuffer buffer,
        Span<ulong> items,
        Span<bool> faults)
    {
        bool userText = step.Operation != FetchOperation.StoreStringArray;
        bool userPointers = step.Operation == FetchOperation.StoreUserPointerStringArray;
        for (int i = 0; i < items.Length; i++)
        {
            faults[i] = !TryLoad(environment, userPointers, address + ((ulong)i * 8), 8, out ulong pointer)
                || !TryReadString(environment, userText, pointer, buffer, out items[i]);
        }
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

    /// <summary>Reads the N-th word from the stack pointer: 0 beyond the stack, as in the kernel.</summary>
    private static bool TryReadStackWord(ulong stackPointer, long number, IFetchEnvironment environment, out ulong word)
    {
        word = 0;
        ulong address = stackPointer + ((ulong)number * 8);
        bool inside = (address & ~(ThreadSize - 1)) == (stackPointer & ~(ThreadSize - 1));
        return !inside || TryLoad(environment, false, address, 8, out word);
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

    private static bool TryReadString(
        IFetchEnvironment environment, bool user, ulong address, FetchBuffer buffer, out ulong location)
    {
        location = 0;
        int length = 0;
        Span<byte> room = buffer.Reserve(MaxStringLength);
        while (length < MaxStringLength)
        {
            ulong at = address + (ulong)length;
            int chunk = Math.Min(64 - (int)(at & 63), MaxStringLength - length);
            Span<byte> piece = room.Slice(length, chunk);
            if (!Read(environment, user, at, piece))
            {
                return false;
            }

            int zero = piece.IndexOf((byte)0);
            if (zero >= 0)
            {
                location = buffer.Commit(length + zero);
                return true;
            }

            length += chunk;
        }

        location = buffer.Commit(MaxStringLength - 1);
        return true;
    }
}
