using Iced.Intel;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Decode;

/// <summary>Instructions that follow each other, with what an engine must know of them: up to a branch, a page's end, a breakpoint or a limit.</summary>
internal sealed class InstructionRun
{
    private readonly int[] _rows = new int[Block.MaxInstructions];

    /// <summary>The instructions, of which <see cref="Count"/> count.</summary>
    public Instruction[] Instructions { get; } = new Instruction[Block.MaxInstructions];

    /// <summary>Of each, whether the arithmetic flags it sets are overwritten before anything can see them.</summary>
    public bool[] FlagsDead { get; } = new bool[Block.MaxInstructions];

    /// <summary>Of each, the opcode that the x87 unit's last-opcode register keeps, 0 of others.</summary>
    public ushort[] X87Opcodes { get; } = new ushort[Block.MaxInstructions];

    /// <summary>How many instructions there are.</summary>
    public int Count { get; set; }

    /// <summary>The mode they are decoded for, see <see cref="BlockMode"/>.</summary>
    public int Mode { get; set; }

    /// <summary>Linear address behind the last one.</summary>
    public ulong End { get; set; }

    /// <summary>Whether the run ends where it does because no more instructions were wanted.</summary>
    public bool IsCut { get; set; }

    /// <summary>Whether the last one is longer than an instruction may be: #GP, not #UD.</summary>
    public bool EndsTooLong { get; set; }

    /// <summary>Whether the last one is a far CALL with REX.W.</summary>
    public bool EndsInWideCall { get; set; }

    /// <summary>What the table says of instruction <paramref name="n"/>.</summary>
    public ref readonly InstructionRow RowOf(int n) => ref InstructionTable.Rows[_rows[n]];

    /// <summary>Looks up the instruction that is about to count.</summary>
    public void NoteRow() => _rows[Count] = InstructionTable.NumberOf(Instructions[Count]);

    /// <summary>Begins anew at an address.</summary>
    public void Start(ulong rip)
    {
        Count = 0;
        End = rip;
        EndsTooLong = EndsInWideCall = false;
    }
}
