using Iced.Intel;

namespace KprobeTrace.Cpu.Decode;

/// <summary>
/// All instructions of this processor, one row a mnemonic, or an encoding where those of a mnemonic differ. What builds blocks, which flags
/// are dead, what is refused and docs/instructions.md follow from it.
/// </summary>
internal static partial class InstructionTable
{
    private static readonly InstructionRow[] _rows = CreateRows();

    // The number of the row, zero for none.
    private static readonly ushort[] _byCode = Index(row => (int)row.Code);
    private static readonly ushort[] _byMnemonic = Index(row => row.Code == Code.INVALID ? (int)row.Mnemonic : 0);

    /// <summary>Gets the rows, the first of which stands for what is undefined.</summary>
    public static ReadOnlySpan<InstructionRow> Rows => _rows;

    /// <summary>The row of an instruction.</summary>
    public static ref readonly InstructionRow Of(in Instruction i) => ref _rows[NumberOf(i)];

    /// <summary>Where the row of an instruction stands in <see cref="Rows"/>.</summary>
    public static int NumberOf(in Instruction i)
    {
        int row = At(_byCode, (int)i.Code);
        return row != 0 ? row : At(_byMnemonic, (int)i.Mnemonic);
    }

    private static int At(ushort[] index, int key) => key < index.Length ? index[key] : 0;

    private static ushort[] Index(Func<InstructionRow, int> key)
    {
        ushort[] index = new ushort[_rows.Max(key) + 1];
        for (int row = 1; row < _rows.Length; row++)
        {
            if (key(_rows[row]) is int at and not 0)
            {
                index[at] = (ushort)row;
            }
        }

        return index;
    }
}
