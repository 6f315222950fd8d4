using KprobeTrace.Cpu.State;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Interpret;

/// <summary>MOVS, CMPS, STOS, LODS and SCAS with random operands, done a second time element by element (Intel SDM vol. 2, their pages).</summary>
public sealed unsafe class StringModelTests : IDisposable
{
    private const ulong Area = BareProcessor.Data;
    private const int Length = 0x400;
    private const ulong StatusFlags = 0x8D5;

    private readonly BareProcessor _processor = new();
    private readonly Random _random = new(17);

    public void Dispose() => _processor.Dispose();

    [Theory]
    [InlineData("movs", 0xA4)]
    [InlineData("cmps", 0xA6)]
    [InlineData("stos", 0xAA)]
    [InlineData("lods", 0xAC)]
    [InlineData("scas", 0xAE)]
    public void Elements_are_done_one_by_one_until_the_count_or_the_condition_ends(string name, byte opcode)
    {
        CpuState* s = _processor.State;
        for (int i = 0; i < 1_500; i++)
        {
            int size = 1 << _random.Next(4);
            byte repeat = _random.Next(3) switch { 0 => 0, 1 => 0xF2, _ => 0xF3 };
            bool down = _random.Next(2) == 0;
            byte[] code = [.. repeat == 0 ? [] : (byte[])[repeat], .. size == 2 ? (byte[])[0x66] : size == 8 ? [0x48] : [], size == 1 ? opcode : (byte)(opcode + 1)];
            byte[] memory = new byte[Length];
            for (int at = 0; at < Length; at++)
            {
                // Few differences, so that elements are often equal.
                memory[at] = _random.Next(24) == 0 ? (byte)_random.Next(256) : (byte)0x80;
            }

            memory.CopyTo(new Span<byte>(_processor.Memory(Area), Length));
            Registers before = new(
                _random.Next(2) == 0 ? 0x8080_8080_8080_8080 : (ulong)_random.NextInt64(long.MinValue, long.MaxValue),
                (ulong)_random.Next(12),
                Area + 0x100 + (ulong)_random.Next(0x200),
                Area + 0x100 + (ulong)_random.Next(0x200),
                ((ulong)_random.Next(0x1000) & StatusFlags) | 2 | (down ? Rflags.DF : 0ul));
            (s->R[0], s->R[1], s->R[6], s->R[7]) = (before.Rax, before.Rcx, before.Rsi, before.Rdi);
            LazyFlags.Set(s, before.Flags);

            Assert.Equal(-1, _processor.Run(code));

            Registers after = Model(name, size, repeat, before, memory);
            Assert.Equal((Convert.ToHexString(code), before, after), (Convert.ToHexString(code), before, new(s->R[0], s->R[1], s->R[6], s->R[7], LazyFlags.Get(s))));
            Assert.Equal(memory, new Span<byte>(_processor.Memory(Area), Length).ToArray());
        }
    }

    private static Registers Model(string name, int size, byte repeat, Registers r, byte[] memory)
    {
        ulong mask = ulong.MaxValue >> (64 - (8 * size));
        ulong step = (r.Flags & Rflags.DF) != 0 ? 0 - (ulong)size : (ulong)size;
        ulong Element(ulong address)
        {
            ulong value = 0;
            for (int i = size - 1; i >= 0; i--)
            {
                value = (value << 8) | memory[(int)(address - Area) + i];
            }

            return value;
        }

        void Put(ulong address, ulong value)
        {
            for (int i = 0; i < size; i++)
            {
                memory[(int)(address - Area) + i] = (byte)(value >> (8 * i));
            }
        }

        while (repeat == 0 || r.Rcx > 0)
        {
            switch (name)
            {
                case "movs": Put(r.Rdi, Element(r.Rsi)); break;
                case "stos": Put(r.Rdi, r.Rax & mask); break;
                case "lods": r = r with { Rax = size == 4 ? Element(r.Rsi) : (r.Rax & ~mask) | Element(r.Rsi) }; break;
                case "cmps": r = r with { Flags = Compared(r.Flags, Element(r.Rsi), Element(r.Rdi), size) }; break;
                default: r = r with { Flags = Compared(r.Flags, r.Rax & mask, Element(r.Rdi), size) }; break;
            }

            r = r with
            {
                Rsi = name is "movs" or "cmps" or "lods" ? r.Rsi + step : r.Rsi,
                Rdi = name is "lods" ? r.Rdi : r.Rdi + step,
                Rcx = repeat == 0 ? r.Rcx : r.Rcx - 1,
            };
            bool equal = (r.Flags & Rflags.ZF) != 0;
            if (repeat == 0 || (name is "cmps" or "scas" && equal != (repeat == 0xF3)))
            {
                break;
            }
        }

        return r;
    }

    /// <summary>The flags after CMP of two elements.</summary>
    private static ulong Compared(ulong flags, ulong a, ulong b, int size)
    {
        int top = (8 * size) - 1;
        ulong result = (a - b) & (ulong.MaxValue >> (63 - top));
        bool carry = a < b;
        bool half = (a & 15) < (b & 15);
        bool even = int.IsEvenInteger(System.Numerics.BitOperations.PopCount((byte)result));
        bool overflow = ((a ^ b) & (a ^ result)) >> top != 0;
        return (flags & ~StatusFlags) | (carry ? 1ul : 0) | (even ? 4ul : 0) | (half ? 0x10ul : 0) | (result == 0 ? 0x40ul : 0)
            | (result >> top != 0 ? 0x80ul : 0) | (overflow ? 0x800ul : 0);
    }

    private readonly record struct Registers(ulong Rax, ulong Rcx, ulong Rsi, ulong Rdi, ulong Flags);
}
