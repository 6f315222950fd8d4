using System.Text;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>The leaves of CPUID in numbers: what software reads for the features that the architecture page lists.</summary>
public sealed unsafe class CpuIdTests : IDisposable
{
    private readonly TestGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(0x00000000u, 0u, 0x00000007u, 0x68747541u, 0x444D4163u, 0x69746E65u)]
    [InlineData(0x00000001u, 0u, 0x00300F10u, 0x00010800u, 0x81982201u, 0x0789F3FDu)]
    [InlineData(0x00000002u, 0u, 0u, 0u, 0u, 0u)]
    [InlineData(0x00000006u, 0u, 0x00000004u, 0u, 0u, 0u)]
    [InlineData(0x00000007u, 0u, 0u, 0x00100081u, 0x00000004u, 0u)]
    [InlineData(0x00000007u, 1u, 0u, 0u, 0u, 0u)]
    [InlineData(0x00000008u, 0u, 0u, 0u, 0u, 0u)]
    [InlineData(0x40000000u, 0u, 0x40000001u, 0x4B4D564Bu, 0x564B4D56u, 0x0000004Du)]
    [InlineData(0x40000001u, 0u, 0x0100000Bu, 0u, 0u, 0u)]
    [InlineData(0x40000002u, 0u, 0u, 0u, 0u, 0u)]
    [InlineData(0x80000000u, 0u, 0x80000008u, 0x68747541u, 0x444D4163u, 0x69746E65u)]
    [InlineData(0x80000001u, 0u, 0x00300F10u, 0u, 0x00000011u, 0x2D91FBFDu)]
    [InlineData(0x80000007u, 0u, 0u, 0u, 0u, 0x00000100u)]
    [InlineData(0x80000008u, 0u, 0x00003028u, 0u, 0u, 0u)]
    [InlineData(0x80000009u, 0u, 0u, 0u, 0u, 0u)]
    public void A_leaf_reads_as_documented(uint leaf, uint subleaf, uint eax, uint ebx, uint ecx, uint edx)
    {
        (_guest.Rax, _guest.Rcx) = (0xFFFFFFFF00000000 | leaf, 0xFFFFFFFF00000000 | subleaf);

        _guest.RunKernel(a => a.cpuid());

        Assert.Equal((eax, ebx, ecx, edx), (_guest.Rax, _guest.Rbx, _guest.Rcx, _guest.Rdx));
    }

    [Fact]
    public void The_brand_is_a_text_of_48_bytes_that_ends_in_zeros()
    {
        StringBuilder brand = new();
        for (uint leaf = 0x80000002; leaf <= 0x80000004; leaf++)
        {
            using TestGuest guest = new();
            guest.Rax = leaf;
            guest.RunKernel(a => a.cpuid());
            foreach (ulong part in (ulong[])[guest.Rax, guest.Rbx, guest.Rcx, guest.Rdx])
            {
                _ = brand.Append(Encoding.ASCII.GetString(BitConverter.GetBytes((uint)part)));
            }
        }

        Assert.Equal("KprobeTrace virtual x86-64-v2 CPU".PadRight(48, '\0'), brand.ToString());
    }

    [Theory]
    [InlineData(new byte[] { 0xC4, 0x13 }, 0)]
    [InlineData(new byte[] { 0x0F, 0xB2, 0x13 }, 2)]
    [InlineData(new byte[] { 0xC5, 0x13 }, 3)]
    [InlineData(new byte[] { 0x0F, 0xB4, 0x13 }, 4)]
    [InlineData(new byte[] { 0x0F, 0xB5, 0x13 }, 5)]
    public void A_far_pointer_loads_the_register_and_the_segment_that_the_instruction_names(byte[] instruction, int segment)
    {
        _guest.EnterUser32(TestGuest.UserCode);
        _guest.Write(TestGuest.UserCode, instruction);
        _guest.Write(TestGuest.UserData, 0xFFFF_0000_1122_3344UL | ((ulong)TestGuest.UserDs << 32));
        _guest.Rbx = TestGuest.UserData;
        for (int i = 0; i < 6; i++)
        {
            if (i != 1)
            {
                _guest.State->Segments[i].Selector = 0x53;
            }
        }

        _guest.Processor.SingleStep();

        Assert.Equal(0x11223344UL, _guest.Rdx);
        for (int i = 0; i < 6; i++)
        {
            Assert.Equal(i == segment ? TestGuest.UserDs : i == 1 ? TestGuest.UserCs32 : 0x53, _guest.State->Segments[i].Selector);
        }
    }
}
