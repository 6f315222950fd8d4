using System.Globalization;
using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>How far two results of an approximating instruction may lie apart (Tables/approximations.txt).</summary>
internal static class ApproximationTable
{
    private static readonly Dictionary<Mnemonic, Approximation> _rows = TableFile.Lines("approximations.txt").ToDictionary(
        fields => Enum.Parse<Mnemonic>(fields[0]),
        fields => new Approximation(fields[1] == "st", double.Parse(fields[3], CultureInfo.InvariantCulture)));

    /// <summary>The bound of an instruction, or null when its results are exact.</summary>
    public static Approximation? For(Mnemonic mnemonic) => _rows.TryGetValue(mnemonic, out Approximation? row) ? row : null;
}

/// <summary>The bound of one instruction.</summary>
/// <param name="InX87">Whether x87 registers hold the results, counted in units of the last place; else XMM, relative.</param>
/// <param name="Bound">The largest difference.</param>
internal sealed record Approximation(bool InX87, double Bound);
