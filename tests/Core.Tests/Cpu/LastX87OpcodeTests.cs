using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>The last x87 opcode: three bits of the first byte and the second, of the last instruction that was no control instruction.</summary>
public sealed unsafe class LastX87OpcodeTests
{
    private const string StoreEnvironment = "D932"; // fnstenv [rdx]

    /// <summary>As FNSTENV stores them on an AMD EPYC of family 25.</summary>
    [Theory]
    [InlineData("D9E8", 0x1E8)] // fld1
    [InlineData("D9E8D9E8DEC1", 0x6C1)] // faddp
    [InlineData("D9E8DC03", 0x403)] // fadd qword [rbx]
    [InlineData("D9E841DC4308", 0x443)] // fadd qword [r11+8]: REX is no part of it
    [InlineData("D9E8362EDC4308", 0x443)] // nor are other prefixes
    [InlineData("D9E8263EDC4308", 0x443)]
    [InlineData("D9E864DC4308", 0x443)]
    [InlineData("D9E865DC4308", 0x443)]
    [InlineData("D9E8DC6C2300", 0x46C)] // fsubr qword [rbx+riz]: with an index byte
    [InlineData("D9E8D93A", 0x1E8)] // fnstcw keeps it
    [InlineData("D9E8DBE3", 0)] // fninit clears it
    [InlineData("DF1B", 0x71B)] // fistp of an empty register: masked, it has run all the same
    public void The_last_opcode_is_stored_with_the_environment(string program, int opcode)
    {
        using TestGuest guest = new();
        guest.Rdx = TestGuest.Data + 0x100;
        guest.Rbx = TestGuest.Data;
        guest.State->R[11] = TestGuest.Data;

        Caught caught = guest.RunKernel(a => a.db(Convert.FromHexString(program + StoreEnvironment)));

        Assert.Equal("none", caught.ToString());
        Assert.Equal((ulong)opcode, guest.Read(TestGuest.Data + 0x100 + 18, 2) & 0x7FF);
    }
}
