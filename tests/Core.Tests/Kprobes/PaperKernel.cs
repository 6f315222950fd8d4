using KprobeTrace.Guest;
using KprobeTrace.Kprobes;
using KprobeTrace.Symbols;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>A kernel that is nothing but bytes and symbols: what kprobes ask of a guest, and what they ask the fetch view for.</summary>
internal sealed class PaperKernel : IProbedGuest, IFetchView
{
    public const ulong Base = 0xffff_ffff_8100_0000;

    public event Action<ulong, int>? TextWritten;

    /// <summary>The text as the guest has it, by address.</summary>
    public Dictionary<ulong, byte> Bytes { get; } = [];

    public PaperText Text { get; } = new();

    /// <summary>What the fetch view was asked for, in order.</summary>
    public List<string> Asked { get; } = [];

    public ulong CurrentTask { get; set; } = 1;

    public ulong RetiredInstructions { get; set; }

    public int CpuCount { get; set; } = 1;

    public KprobeSubsystem Probe() => new(this, Text, new DecoderLength(), this);

    public void Define(string name, ulong address, params byte[] bytes)
    {
        Write(address, bytes);
        Text.Symbols.Add(new Symbol(name, address, (ulong)bytes.Length, 'T', ""));
    }

    public void Write(ulong address, params byte[] bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            Bytes[address + (ulong)i] = bytes[i];
        }
    }

    /// <summary>Makes what is there now the text that the image has.</summary>
    public void BecomesOriginal()
    {
        foreach ((ulong address, byte value) in Bytes)
        {
            Text.Originals[address] = value;
        }
    }

    public void TellOfWrite(ulong address, int length) => TextWritten?.Invoke(address, length);

    public bool TryReadKernel(ulong address, Span<byte> destination) => PaperText.TryRead(Bytes, address, destination);

    public void Arm(ulong address, int slot) => Asked.Add($"arm {address - Base:x} {slot}");

    public void Disarm(ulong address) => Asked.Add($"disarm {address - Base:x}");

    public void Watch(ulong start, ulong behind, bool watched) => Asked.Add($"{(watched ? "watch" : "leave")} {start - Base:x} {behind - Base:x}");

    public void Synchronize() => Asked.Add("synchronize");

    /// <summary>Symbols and the image's text; of everything else it says what the interface does by itself.</summary>
    internal sealed class PaperText : IKernelText
    {
        public List<Symbol> Symbols { get; } = [];

        public Dictionary<ulong, byte> Originals { get; } = [];

        public IReadOnlyList<GuestRange> Blacklist => [];

        public static bool TryRead(Dictionary<ulong, byte> bytes, ulong address, Span<byte> into)
        {
            for (int i = 0; i < into.Length; i++)
            {
                if (!bytes.TryGetValue(address + (ulong)i, out into[i]))
                {
                    return false;
                }
            }

            return true;
        }

        public bool TryReadOriginal(ulong address, Span<byte> into) => TryRead(Originals, address, into);

        public bool TryResolve(string name, out ulong address)
        {
            address = Symbols.Find(s => s.Name == name).Address;
            return address != 0;
        }

        public bool TryFindSymbol(ulong address, out Symbol symbol)
        {
            symbol = Symbols.Find(s => address >= s.Address && address < s.Address + s.Size);
            return symbol.Address != 0;
        }

        public KernelTextKind Classify(ulong address) => KernelTextKind.Kernel;

        public bool IsBugSite(ulong address) => false;

        public bool IsJumpLabel(ulong address) => false;
    }
}
