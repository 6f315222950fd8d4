using System.Text;
using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>One instruction form: an Iced <see cref="Code"/> with what the generator needs to know of it.</summary>
internal sealed class InstructionForm
{
    public InstructionForm(Code code)
    {
        Code = code;
        OpCode = code.ToOpCode();
        Mnemonic = code.Mnemonic();
        Seed = Hash(code.ToString());
    }

    public Code Code { get; }

    public OpCodeInfo OpCode { get; }

    public Mnemonic Mnemonic { get; }

    /// <summary>From the form's name, so that it stays when Iced renumbers its forms.</summary>
    public ulong Seed { get; }

    public MemorySize MemorySize => OpCode.MemorySize;

    public override string ToString() => $"{Code} ({OpCode.ToInstructionString()})";

    private static ulong Hash(string name)
    {
        ulong hash = 0xcbf2_9ce4_8422_2325;
        foreach (byte b in Encoding.UTF8.GetBytes(name))
        {
            hash = (hash ^ b) * 0x0000_0100_0000_01b3;
        }

        return hash;
    }
}
