using System.Buffers.Binary;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Guest;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Unwind tables and stacks: 2 KiB of rules, then 4 KiB of stack.</summary>
internal sealed class OrcTarget : IFuzzTarget
{
    private const ulong Stack = 0xFFFF_C900_0000_0000;
    private const int Rules = 64;
    private const int StackBytes = 4096;
    private const ulong Text = GuestImage.Text;

    public string Name => "orc";

    public string Summary => "random and damaged ORC rules over random stacks";

    public byte[] Generate(FuzzRandom random)
    {
        byte[] input = new byte[(Rules * 10) + StackBytes];
        int ip = random.Next(0x40);
        for (int i = 0; i < Rules; i++)
        {
            ip += random.Next(0x40);
            BinaryPrimitives.WriteInt32LittleEndian(input.AsSpan(i * 10), ip);
            BinaryPrimitives.WriteInt16LittleEndian(input.AsSpan((i * 10) + 4), (short)(random.OneIn(4) ? (int)random.Corner() : 8 * random.Next(20)));
            BinaryPrimitives.WriteInt16LittleEndian(input.AsSpan((i * 10) + 6), (short)(random.OneIn(4) ? (int)random.Corner() : -8 * random.Next(5)));
            BinaryPrimitives.WriteUInt16LittleEndian(input.AsSpan((i * 10) + 8), (ushort)(random.OneIn(3) ? random.Next64() : (ulong)(random.Pick(4, 5, 5, 5, 8, 9) | (random.Next(3) << 4) | (random.OneIn(8) ? random.Next(4) << 8 : 0))));
        }

        for (int at = Rules * 10; at + 8 <= input.Length; at += 8)
        {
            ulong word = random.Next(4) switch
            {
                0 => Stack + (ulong)random.Next(StackBytes + 64),
                1 => random.Corner(),
                _ => Text + (ulong)random.Next(0x1000),
            };
            BinaryPrimitives.WriteUInt64LittleEndian(input.AsSpan(at), word);
        }

        return random.OneIn(3) ? Mutator.Mutate(random, input) : input;
    }

    public void Run(byte[] input)
    {
        const int ips = 0x1000;
        const int entries = 0x2000;
        int rules = Math.Min(Rules, input.Length / 10);
        LoadedImage image = GuestImage.Load(bytes =>
        {
            for (int i = 0; i < rules; i++)
            {
                int at = ips + (i * 4);
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), BinaryPrimitives.ReadInt32LittleEndian(input.AsSpan(i * 10)) - at);
                input.AsSpan((i * 10) + 4, 6).CopyTo(bytes.AsSpan(entries + (i * 6)));
            }
        });
        SymbolTable symbols = GuestImage.Symbols(
            ("_stext", Text), ("_etext", Text + 0x1000),
            ("__start_orc_unwind_ip", Text + ips), ("__stop_orc_unwind_ip", Text + ips + ((ulong)rules * 4)),
            ("__start_orc_unwind", Text + entries), ("__stop_orc_unwind", Text + entries + ((ulong)rules * 6)));
        GuestRam stack = new(Stack, StackBytes);
        ReadOnlySpan<byte> words = input.AsSpan(rules * 10);
        stack.Write(Stack, words[..Math.Min(words.Length, StackBytes)]);
        OrcUnwinder unwinder = new(image, symbols, null, stack);
        Span<ulong> found = stackalloc ulong[64];
        for (ulong offset = 0; offset < 256; offset += 13)
        {
            int count = unwinder.Walk(new UnwindRegisters(Text + (offset * 5), Stack + offset, Stack + (offset * 8)), found);
            InvariantException.Require(count is >= 0 and <= 64, "a walk longer than its room");
        }
    }
}
