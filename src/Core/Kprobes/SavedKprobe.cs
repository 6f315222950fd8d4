using System.Runtime.InteropServices;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Kprobes;

/// <summary>A probe of a saved guest, and what the table holds for its address.</summary>
internal sealed class SavedKprobe
{
    /// <summary>Bytes that one has at least: an empty name, the numbers, no return immediates.</summary>
    public const int MinSize = sizeof(int) + NumbersSize + sizeof(int);

    /// <summary>The last page holds no text, and what is watched behind an address ends before it.</summary>
    private const ulong LastAddress = ulong.MaxValue - 0x1FFF;

    private const int NumbersSize = (2 * sizeof(ulong)) + (2 * sizeof(int)) + 2 + InstructionBoundary.MaxLength;

    private SavedKprobe(string name)
    {
        Name = name;
    }

    /// <summary>The probe's name, <see cref="Kprobe.SavedAs"/>.</summary>
    public string Name { get; }

    /// <summary>The probed address.</summary>
    public ulong Address { get; private init; }

    /// <summary>The start of the function that holds it.</summary>
    public ulong FunctionStart { get; private init; }

    /// <summary>The probe's own state.</summary>
    public KprobeStatus Flags { get; private init; }

    /// <summary>The state of the address.</summary>
    public KprobeStatus EntryFlags { get; private init; }

    /// <summary>Whether the guest's writes have left no instruction at the address.</summary>
    public bool IsOffBoundary { get; private init; }

    /// <summary>The probed instruction as it was looked at last.</summary>
    public byte[] Instruction { get; private init; } = [];

    /// <summary>For the entry of a return probe: what its function's returns take from the stack beside the address.</summary>
    public ushort[] ReturnImmediates { get; private init; } = [];

    /// <summary>The probe that goes on as this one; null while there is none.</summary>
    public Kprobe? TakenBy { get; set; }

    /// <summary>Writes a probe that is in the table.</summary>
    public static void Write(StateWriter to, Kprobe probe, KprobeEntry entry)
    {
        to.Write(probe.SavedAs!);
        Numbers numbers = new()
        {
            Address = entry.Address,
            FunctionStart = entry.FunctionStart,
            Flags = probe.Flags,
            EntryFlags = entry.Flags,
            OffBoundary = entry.IsOffBoundary ? (byte)1 : (byte)0,
            InstructionLength = (byte)entry.Instruction.Length,
        };
        entry.Instruction.CopyTo(numbers.Instruction);
        to.Write(in numbers);
        ushort[] immediates = probe.ReturnProbe?.ReturnImmediates ?? [];
        to.Write(immediates.Length);
        to.Write(MemoryMarshal.AsBytes<ushort>(immediates));
    }

    /// <summary>Reads the next probe.</summary>
    /// <exception cref="KprobeTraceException">No probe can be like this.</exception>
    public static SavedKprobe Read(StateReader from)
    {
        const KprobeStatus known = KprobeStatus.Gone | KprobeStatus.Disabled | KprobeStatus.Optimized | KprobeStatus.Ftrace;
        string name = from.ReadText();
        Numbers numbers = from.Read<Numbers>();
        from.Require(numbers.FunctionStart <= numbers.Address && numbers.Address <= LastAddress && numbers.InstructionLength <= InstructionBoundary.MaxLength && numbers.OffBoundary <= 1
            && (numbers.Flags & ~known) == 0 && (numbers.EntryFlags & ~known) == 0);
        return new SavedKprobe(name)
        {
            Address = numbers.Address,
            FunctionStart = numbers.FunctionStart,
            Flags = numbers.Flags,
            EntryFlags = numbers.EntryFlags,
            IsOffBoundary = numbers.OffBoundary == 1,
            Instruction = numbers.Instruction[..numbers.InstructionLength].ToArray(),
            ReturnImmediates = MemoryMarshal.Cast<byte, ushort>(from.Read(from.ReadCount(sizeof(ushort)) * sizeof(ushort))).ToArray(),
        };
    }

    [System.Runtime.CompilerServices.InlineArray(InstructionBoundary.MaxLength)]
    private struct InstructionBytes
    {
        private byte _first;
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct Numbers
    {
        public ulong Address;
        public ulong FunctionStart;
        public KprobeStatus Flags;
        public KprobeStatus EntryFlags;
        public byte OffBoundary;
        public byte InstructionLength;
        public InstructionBytes Instruction;
    }
}
