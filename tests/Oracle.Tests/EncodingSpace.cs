using System.Buffers.Binary;
using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>
/// Every opcode of the one-byte, 0F, 0F 38 and 0F 3A maps with every mandatory prefix and LOCK, with and without REX.W, and with every
/// operand that may tell one instruction from another: declared or not, defined or not.
/// </summary>
internal static class EncodingSpace
{
    /// <summary>The code offset of all cases; branches by up to 400h bytes end at int3.</summary>
    private const uint CodeOffset = 0x800;

    /// <summary>A branch target in the code pages that is also harmless as flags and as a control word.</summary>
    private const ulong Target = OracleLayout.CodeBase + 0xC00;

    private const ulong Data = OracleLayout.DataBase + 0x800;
    private const ulong Stack = OracleLayout.StackBase + 0x800;
    private const byte RexW = 0x48;

    /// <summary>No prefix, 66, F3, F2 and LOCK, each without and with REX.W.</summary>
    private const int Forms = 10;

    /// <summary>REX, segment, size, LOCK and REP prefixes; the opcode would be the byte behind them. VEX and EVEX, which need AVX.</summary>
    private static readonly byte[] _prefixes =
        [0xC4, 0xC5, 0x62, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3, .. Enumerable.Range(0x40, 16).Select(rex => (byte)rex)];

    private static readonly byte[][] _maps = [[], [0x0F], [0x0F, 0x38], [0x0F, 0x3A]];

    /// <summary>All cases, in a fixed order.</summary>
    public static IEnumerable<TestCase> Cases()
    {
        int index = 0;
        foreach (byte[] map in _maps)
        {
            for (int opcode = 0; opcode < 256; opcode++)
            {
                bool isNoOpcode = (map.Length == 0 && (opcode == 0x0F || _prefixes.Contains((byte)opcode)))
                    || (map.Length == 1 && opcode is 0x38 or 0x3A);
                for (int form = 0; form < Forms && !isNoOpcode; form++)
                {
                    foreach (byte modrm in Operands(map.Length))
                    {
                        if (Create(Head(form, map, (byte)opcode), modrm, index++) is TestCase one)
                        {
                            yield return one;
                        }
                    }
                }
            }
        }
    }

    /// <summary>Memory at RBX with every /reg; registers with every /reg and, in the maps that have opcodes in ModRM, every /rm.</summary>
    private static IEnumerable<byte> Operands(int mapLength)
    {
        for (int reg = 0; reg < 8; reg++)
        {
            yield return (byte)((reg << 3) | GprIndex.Rbx);
            for (int rm = 0; rm < (mapLength < 2 ? 8 : 1); rm++)
            {
                yield return (byte)(0xC0 | (reg << 3) | rm);
            }
        }
    }

    private static byte[] Head(int form, byte[] map, byte opcode)
    {
        byte prefix = (form >> 1) switch { 1 => 0x66, 2 => 0xF3, 3 => 0xF2, 4 => 0xF0, _ => 0 };
        return
        [
            .. prefix == 0 ? [] : (byte[])[prefix],
            .. (form & 1) == 0 ? [] : (byte[])[RexW],
            .. map,
            opcode,
        ];
    }

    private static TestCase? Create(byte[] head, byte modrm, int index)
    {
        // As much of an immediate as any instruction has: a small number, a short branch.
        byte[] bytes = [.. head, modrm, 1, 0, 0, 0, 0, 0, 0, 0];
        ulong at = OracleLayout.CodeBase + CodeOffset;
        var decoder = Decoder.Create(64, bytes, DecoderOptions.AMD);
        decoder.IP = at;
        decoder.Decode(out Instruction instruction);
        if (!instruction.IsInvalid)
        {
            bytes = bytes[..instruction.Length];
        }

        bool near = instruction.Op0Kind is OpKind.NearBranch16 or OpKind.NearBranch32 or OpKind.NearBranch64;
        if (near && instruction.NearBranchTarget - at < (ulong)instruction.Length)
        {
            return null;
        }

        return new TestCase
        {
            Form = instruction.Code,
            Index = index,
            Bytes = bytes,
            Instruction = instruction,
            CodeOffset = CodeOffset,
            Initial = State(at),
            Patches = Patches(),
            StopsAtBreakpoint = true,
        };
    }

    private static ProcessorState State(ulong rip)
    {
        var state = new ProcessorState { Rip = rip, Rflags = 0x202, FsBase = OracleLayout.FsBase, GsBase = OracleLayout.GsBase };
        for (int i = 0; i < 16; i++)
        {
            state.Gpr[i] = Data + ((ulong)i * 0x40);
        }

        state.Gpr[GprIndex.Rcx] = 2;
        state.Gpr[GprIndex.Rsp] = Stack;
        state.Segments[1] = OracleLayout.UserCode;
        state.Segments[2] = OracleLayout.UserData;
        BinaryPrimitives.WriteUInt16LittleEndian(state.Fx, 0x37F);
        state.Fx[4] = 0x3F;
        BinaryPrimitives.WriteUInt32LittleEndian(state.Fx.AsSpan(FxImages.MxcsrOffset), 0x1F80);
        for (int i = 0; i < 8; i++)
        {
            // 1.5, 3, 6 …
            Span<byte> register = state.Fx.AsSpan(FxImages.RegistersOffset + (i * 16), 10);
            BinaryPrimitives.WriteUInt64LittleEndian(register, 0xC000_0000_0000_0000);
            BinaryPrimitives.WriteUInt16LittleEndian(register[8..], (ushort)(0x3FFF + i));
        }

        for (int i = 0; i < 32; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(state.Fx.AsSpan(FxImages.XmmOffset + (i * 8)), 0x3FF8_0000_3FC0_0000 + (ulong)i);
        }

        return state;
    }

    /// <summary>
    /// At RBX a far pointer with an offset of 32 bits, and an MXCSR where FXRSTOR looks for it; at RSP the frame of a far return or
    /// of a return from an interrupt, with 64-bit operands.
    /// </summary>
    private static MemoryPatch[] Patches()
    {
        byte[] pointer = new byte[32];
        BinaryPrimitives.WriteUInt64LittleEndian(pointer, Target | ((ulong)OracleLayout.UserCode << 32));
        BinaryPrimitives.WriteUInt64LittleEndian(pointer.AsSpan(8), OracleLayout.UserCode);
        BinaryPrimitives.WriteUInt32LittleEndian(pointer.AsSpan(FxImages.MxcsrOffset), 0x1F80);
        byte[] frame = new byte[40];
        BinaryPrimitives.WriteUInt64LittleEndian(frame, Target);
        BinaryPrimitives.WriteUInt64LittleEndian(frame.AsSpan(8), OracleLayout.UserCode);
        BinaryPrimitives.WriteUInt64LittleEndian(frame.AsSpan(16), 0x202);
        BinaryPrimitives.WriteUInt64LittleEndian(frame.AsSpan(24), Stack);
        BinaryPrimitives.WriteUInt64LittleEndian(frame.AsSpan(32), OracleLayout.UserData);
        return
        [
            new MemoryPatch((uint)(Data + (GprIndex.Rbx * 0x40) - OracleLayout.DataBase), pointer),
            new MemoryPatch((uint)(Stack - OracleLayout.StackBase + OracleLayout.DataSize), frame),
        ];
    }
}
