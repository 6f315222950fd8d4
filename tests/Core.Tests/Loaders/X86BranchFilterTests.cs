using System.Buffers.Binary;
using KprobeTrace.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Loaders;

/// <summary>Calls and jumps whose targets an encoder has made absolute: target = relative + address of the next instruction.</summary>
public sealed class X86BranchFilterTests
{
    [Theory]
    [InlineData(0xE8, 0, 0)]
    [InlineData(0xE9, 0, 0)]
    [InlineData(0xE8, 0, 0x1234)]
    [InlineData(0xE8, 7, 0x1234)]
    [InlineData(0xE8, 7, -3)]
    [InlineData(0xE9, 100, -100)]
    [InlineData(0xE8, 0, 0xFFFFFF)]
    [InlineData(0xE8, 0, -0x1000000)]
    public void A_branch_gets_its_relative_target_back(byte opcode, int at, int relative)
    {
        foreach (uint start in (uint[])[0, 0x1000, 0x12_3456])
        {
            byte[] plain = Branch(opcode, at, relative);
            byte[] filtered = Branch(opcode, at, SignOf25Bits(relative + (int)start + at + 5));

            X86BranchFilter.Decode(filtered, start);

            Assert.Equal(plain, filtered);
        }
    }

    [Theory]
    [InlineData(0xE7)]
    [InlineData(0xEA)]
    [InlineData(0xE0)]
    [InlineData(0x68)]
    public void Other_opcodes_stay(byte opcode) => AssertStays(Branch(opcode, 3, 0x1234));

    [Theory]
    [InlineData(0x01000000)]
    [InlineData(0x7F000000)]
    [InlineData(unchecked((int)0xFE000000))]
    [InlineData(unchecked((int)0x80000000))]
    public void A_target_whose_top_byte_is_no_sign_stays(int target) => AssertStays(Branch(0xE8, 0, target));

    [Theory]
    [InlineData(4)]
    [InlineData(3)]
    [InlineData(1)]
    [InlineData(0)]
    public void A_branch_that_the_block_ends_within_stays(int bytes) => AssertStays([.. new byte[] { 0xE8, 1, 0, 0 }.Take(bytes)]);

    [Fact]
    public void The_last_branch_of_a_block_and_those_one_after_the_other_are_decoded()
    {
        byte[] block = [.. Branch(0xE8, 0, 5 + 1)[..5], .. Branch(0xE9, 0, 10 + 2)[..5], .. Branch(0xE8, 0, 15 + 3)[..5]];

        X86BranchFilter.Decode(block, 0);

        Assert.Equal([0xE8, 1, 0, 0, 0, 0xE9, 2, 0, 0, 0, 0xE8, 3, 0, 0, 0], block);
    }

    private static void AssertStays(byte[] block)
    {
        byte[] decoded = [.. block];
        X86BranchFilter.Decode(decoded, 0x1000);
        Assert.Equal(block, decoded);
    }

    private static int SignOf25Bits(int value) => value << 7 >> 7;

    private static byte[] Branch(byte opcode, int at, int target)
    {
        byte[] block = new byte[at + 16];
        Array.Fill(block, (byte)0x90);
        block[at] = opcode;
        BinaryPrimitives.WriteInt32LittleEndian(block.AsSpan(at + 1), target);
        return block;
    }
}
