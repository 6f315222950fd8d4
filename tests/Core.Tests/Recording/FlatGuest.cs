using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Recording;

/// <summary>A guest of a few instructions in 64-bit mode, its places named: each test writes the one it needs.</summary>
internal sealed class FlatGuest(ulong load = FlatGuest.Load)
{
    /// <summary>Where its first byte is.</summary>
    public const ulong Load = 0x10_0000;

    private const ulong Gates = 0x20_0000;
    private const ulong GateRegister = 0x20_2000;

    private readonly Dictionary<string, Label> _labels = [];
    private readonly HashSet<string> _marked = [];

    public Assembler Code { get; } = new(64);

    /// <summary>Addresses by name, once it is assembled.</summary>
    public Dictionary<string, ulong> Addresses { get; } = [];

    /// <summary>A place by name, whether it is marked already or will be.</summary>
    public Label At(string name)
    {
        if (!_labels.TryGetValue(name, out Label label))
        {
            _labels[name] = label = Code.CreateLabel(name);
        }

        return label;
    }

    /// <summary>The next instruction is the place of a name.</summary>
    public FlatGuest Mark(string name)
    {
        Label label = At(name);
        Code.Label(ref label);
        _labels[name] = label;
        _marked.Add(name);
        return this;
    }

    /// <summary>Ends the run through the exit port.</summary>
    public FlatGuest Exit(byte value = 0)
    {
        Code.mov(al, value);
        Code.@out(0xF4, al);
        return this;
    }

    /// <summary>Sends a byte to the serial port.</summary>
    public FlatGuest Print(ReadOnlySpan<byte> text)
    {
        Code.mov(dx, 0x3F8);
        foreach (byte value in text)
        {
            Code.mov(al, value);
            Code.@out(dx, al);
        }

        return this;
    }

    /// <summary>Makes a place the handler of an exception.</summary>
    public FlatGuest Handle(int vector, string place)
    {
        Code.lea(rax, __[At(place)]);
        Code.mov(__word_ptr[Gates + ((ulong)vector * 16)], ax);
        Code.mov(__word_ptr[Gates + ((ulong)vector * 16) + 2], 0x10);
        Code.mov(__word_ptr[Gates + ((ulong)vector * 16) + 4], 0x8E00);
        Code.shr(rax, 16);
        Code.mov(__word_ptr[Gates + ((ulong)vector * 16) + 6], ax);
        Code.mov(__word_ptr[GateRegister], 0xFFF);
        Code.mov(__qword_ptr[GateRegister + 2], (int)Gates);
        Code.lidt(__[GateRegister]);
        return this;
    }

    public byte[] Assemble()
    {
        using MemoryStream stream = new();
        AssemblerResult result = Code.Assemble(new StreamCodeWriter(stream), load, BlockEncoderOptions.ReturnNewInstructionOffsets);
        foreach (string name in _marked)
        {
            Addresses[name] = result.GetLabelRIP(_labels[name]);
        }

        if (_marked.Count > 0)
        {
            Addresses["_end"] = load + (ulong)stream.Length;
        }

        return stream.ToArray();
    }
}
