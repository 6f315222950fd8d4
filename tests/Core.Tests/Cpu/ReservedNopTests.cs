using KprobeTrace.Cpu.Decode;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>
/// 0F 18 to 0F 1F: hints and marks of features that this processor lacks (prefetches, CET, MPX, CLDEMOTE) do nothing there. Code
/// runs them unguarded: the unwinder of every C++ exception and of pthread_cancel reads its shadow stack by RDSSPQ.
/// </summary>
public sealed unsafe class ReservedNopTests
{
    private const byte OperandSize = 0x66;
    private const byte RexW = 0x48;

    private static readonly byte[] _prefixes = [0, OperandSize, 0xF3, 0xF2];

    [Fact]
    public void Reserved_no_operations_do_nothing_and_touch_no_memory()
    {
        using TestGuest guest = new();
        for (byte opcode = 0x18; opcode <= 0x1F; opcode++)
        {
            foreach (byte prefix in _prefixes)
            {
                foreach (byte rex in (byte[])[0, RexW])
                {
                    for (int modrm = 0; modrm < 256; modrm++)
                    {
                        Assert.Equal("", Effect(guest, Bytes(prefix, rex, opcode, (byte)modrm)));
                    }
                }
            }
        }
    }

    [Fact]
    public void Prefetches_of_0F0D_exist_with_memory_only()
    {
        using TestGuest guest = new();
        for (int modrm = 0; modrm < 256; modrm++)
        {
            byte[] bytes = Bytes(0, 0, 0x0D, (byte)modrm);

            Assert.Equal(modrm < 0xC0 ? "" : $"{Convert.ToHexString(bytes)}: vector 6", Effect(guest, bytes));
        }
    }

    [Fact]
    public void Probes_find_them_as_long_as_they_are()
    {
        InstructionLengthDecoder lengths = new();
        for (byte opcode = 0x18; opcode <= 0x1F; opcode++)
        {
            foreach (byte prefix in _prefixes)
            {
                for (int modrm = 0; modrm < 256; modrm++)
                {
                    byte[] bytes = Bytes(prefix, RexW, opcode, (byte)modrm);
                    int length = lengths.LengthOf(TestGuest.Code, [.. bytes, 0x90, 0x90]);

                    Assert.Equal($"{Convert.ToHexString(bytes)}: {bytes.Length}", $"{Convert.ToHexString(bytes)}: {length}");
                }
            }
        }
    }

    [Theory]
    [InlineData("F0480F1EC8")]
    [InlineData("F00F1F00")]
    [InlineData("F00F1800")]
    public void A_locked_one_is_undefined(string bytes)
    {
        using TestGuest guest = new();

        Assert.Equal($"{bytes}: vector 6", Effect(guest, Convert.FromHexString(bytes)));
    }

    /// <summary>An instruction with as many bytes of displacement as its operand asks for.</summary>
    private static byte[] Bytes(byte prefix, byte rex, byte opcode, byte modrm)
    {
        const byte NoBase = 0x25;
        const byte Indexed = 0x54;
        int mod = modrm >> 6;
        bool hasSib = mod != 3 && (modrm & 7) == 4;
        int displacement = mod switch { 1 => 1, 2 => 4, 0 when (modrm & 7) == 5 || hasSib => 4, _ => 0 };
        byte sib = mod == 0 ? NoBase : Indexed;
        return
        [
            .. prefix == 0 ? [] : (byte[])[prefix],
            .. rex == 0 ? [] : (byte[])[rex],
            0x0F, opcode, modrm,
            .. hasSib ? [sib] : Array.Empty<byte>(),
            .. new byte[displacement],
        ];
    }

    /// <summary>What an instruction changes but RIP; empty for nothing.</summary>
    private static string Effect(TestGuest guest, byte[] bytes)
    {
        const ulong NotCanonical = 0x8000_0000_0000_0000;
        string name = Convert.ToHexString(bytes);
        guest.EnterKernel(TestGuest.Code);
        guest.Write(TestGuest.Code, bytes);
        for (int i = 0; i < 16; i++)
        {
            guest.State->R[i] = i == 4 ? TestGuest.KernelStack : NotCanonical + (ulong)i;
        }

        guest.Processor.Run(guest.Processor.Retired + 1);

        ulong handler = (guest.State->Rip - TestGuest.Handlers) / 16;
        if (handler < 32)
        {
            return $"{name}: vector {handler}";
        }

        for (int i = 0; i < 16; i++)
        {
            if (guest.State->R[i] != (i == 4 ? TestGuest.KernelStack : NotCanonical + (ulong)i))
            {
                return $"{name}: register {i} changed";
            }
        }

        bool next = guest.State->Rip == TestGuest.Code + (ulong)bytes.Length && guest.Flags == 2;
        return next ? "" : $"{name}: goes on at {guest.State->Rip:x}, flags {guest.Flags:x}";
    }
}
