using System.Globalization;
using KprobeTrace.Cpu.State;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>The operand-size prefix before near branches in 64-bit code, where AMD's processors and Intel's differ: this one is AMD's.</summary>
public sealed unsafe class WordBranchTests
{
    private const ulong At = TestGuest.UserCode + 0x10;
    private const ulong OnStack = 0x6789abcd;

    public static TheoryData<string, string, int, string> Rows
    {
        get
        {
            TheoryData<string, string, int, string> rows = [];
            foreach (string[] row in NumberTable.Rows("Tables/word-branches.txt").Select(row => row.Where(column => column.Length > 0).ToArray()))
            {
                rows.Add(row[0], row[1], int.Parse(row[2], CultureInfo.InvariantCulture), row[3]);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_near_branch_of_16_bits_cuts_its_target_and_moves_two_bytes_of_stack(string bytes, string ip, int moved, string pushed)
    {
        using TestGuest guest = new();
        guest.EnterUser(At);
        guest.Write(At, Convert.FromHexString(bytes));
        guest.Write(TestGuest.UserStack, OnStack);
        guest.Rax = 0x12345678;
        guest.Rcx = 3;
        guest.Flags = Rflags.ZF | 2;

        guest.Processor.Run(1);

        Assert.Equal((ip, 1L), ($"{guest.State->Rip:x}", guest.Processor.Retired));
        Assert.Equal(moved, (int)(guest.Rsp - TestGuest.UserStack));
        if (pushed != "-")
        {
            Assert.Equal(NumberTable.Hex(pushed), guest.Read(guest.Rsp, -moved));
        }
    }

    [Fact]
    public void The_stack_is_written_by_two_bytes_only()
    {
        using TestGuest guest = new();
        guest.EnterUser(At);
        guest.Write(At, [0x66, 0xE8, 0, 0]);
        guest.Write(TestGuest.UserStack - 8, ulong.MaxValue);

        guest.Processor.Run(1);

        Assert.Equal(0x0014_FFFF_FFFF_FFFFUL, guest.Read(TestGuest.UserStack - 8));
    }
}
