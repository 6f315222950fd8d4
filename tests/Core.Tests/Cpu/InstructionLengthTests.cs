using KprobeTrace.Cpu.State;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>The limit of 15 bytes: what goes beyond it is #GP, an undefined encoding within it #UD.</summary>
public sealed unsafe class InstructionLengthTests
{
    /// <summary>Where in the page an instruction begins: well inside it, and so that its end lies in the next page.</summary>
    private static readonly ulong[] _offsets = [0, 0xFFF, 0xFF8, 0xFF1];

    [Fact]
    public void Only_what_is_longer_than_15_bytes_is_a_general_protection_fault()
    {
        foreach (string[] row in NumberTable.Rows("Tables/instruction-lengths.txt"))
        {
            foreach (ulong offset in _offsets)
            {
                using TestGuest guest = new();
                ulong at = TestGuest.Code + offset;
                guest.EnterKernel(at);
                guest.Write(at, [.. Convert.FromHexString(row[0]), 0x90, 0xF4]);

                Caught caught = guest.Run();

                string result = caught.Vector switch { Vector.InvalidOpcode => "ud", Vector.GeneralProtection => "gp", -1 => "none", _ => $"{caught}" };
                Assert.Equal($"{row[0]} at {offset:x}: {row[1]}", $"{row[0]} at {offset:x}: {result}");
            }
        }
    }
}
