using System.Buffers.Binary;

namespace KprobeTrace.Tests.Oracle;

/// <summary>FXSAVE images (Intel SDM vol. 1 §10.5.1) that the processor accepts.</summary>
internal static class FxImages
{
    public const int MxcsrOffset = 24;
    public const int RegistersOffset = 32;
    public const int XmmOffset = 160;

    /// <summary>What the 16 XMM registers hold.</summary>
    public enum Elements
    {
        Mixed,
        Single,
        Double,
        Integer,
    }

    /// <summary>Fills an image; <paramref name="x87"/> makes its x87 part varied rather than freshly initialised.</summary>
    public static void Fill(SeededRandom random, Span<byte> image, Elements elements, bool x87)
    {
        image.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(image, x87 ? ControlWord(random) : (ushort)0x37f);
        if (x87)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(image[2..], StatusWord(random));
        }

        image[4] = Tags(random, x87);
        BinaryPrimitives.WriteUInt32LittleEndian(image[MxcsrOffset..], Mxcsr(random));
        for (int i = 0; i < 8; i++)
        {
            Span<byte> register = image.Slice(RegistersOffset + (i * 16), 10);
            if (x87 ? random.Chance(92) : random.Chance(30))
            {
                FloatPatterns.Extended(random, register);
            }
            else
            {
                BinaryPrimitives.WriteUInt64LittleEndian(register, Integers(random));
                BinaryPrimitives.WriteUInt16LittleEndian(register[8..], 0xffff);
            }
        }

        for (int i = 0; i < 16; i++)
        {
            Vector(random, image.Slice(XmmOffset + (i * 16), 16), elements);
        }
    }

    /// <summary>Sixteen bytes of numbers of one kind.</summary>
    public static void Vector(SeededRandom random, Span<byte> to, Elements elements)
    {
        if (elements == Elements.Mixed || random.Chance(6))
        {
            elements = random.Pick<Elements>([Elements.Single, Elements.Double, Elements.Integer, Elements.Integer]);
        }

        for (int at = 0; at < 16; at += 8)
        {
            ulong value = elements switch
            {
                Elements.Single => FloatPatterns.Single(random) | ((ulong)FloatPatterns.Single(random) << 32),
                Elements.Double => FloatPatterns.Double(random),
                _ => Integers(random),
            };
            BinaryPrimitives.WriteUInt64LittleEndian(to[at..], value);
        }
    }

    /// <summary>An MXCSR with a bit that no processor knows.</summary>
    public static uint RefusedMxcsr(SeededRandom random) => (uint)random.Next() | 0x10000;

    /// <summary>Where an image holds an MMX register: they are numbered from the bottom, x87 registers from the top of stack.</summary>
    public static int MmxOffset(ReadOnlySpan<byte> image, int number)
    {
        int top = (BinaryPrimitives.ReadUInt16LittleEndian(image[2..]) >> 11) & 7;
        return RegistersOffset + (((number - top) & 7) * 16);
    }

    private static ulong Integers(SeededRandom random)
    {
        switch (random.Below(6))
        {
            case 0:
                return random.Interesting();
            case 1:
                return (uint)random.Interesting() | (random.Interesting() << 32);
            case 2:
                return (ushort)random.Interesting() | ((ulong)(ushort)random.Interesting() << 16)
                    | ((ulong)(ushort)random.Interesting() << 32) | (random.Interesting() << 48);
            case 3:
                ulong bytes = 0;
                for (int i = 0; i < 8; i++)
                {
                    bytes = (bytes << 8) | random.Pick<byte>([0, 1, 0x7f, 0x80, 0x81, 0xff, (byte)random.Next(), (byte)random.Below(64)]);
                }

                return bytes;
            case 4:
                return (ulong)random.Below(80);
            default:
                return random.Next();
        }
    }

    private static ushort ControlWord(SeededRandom random)
    {
        int masks = random.Chance(80) ? 0x3f : random.Below(64);
        int precision = random.Chance(60) ? 3 : random.Below(4);
        int rounding = random.Chance(40) ? 0 : random.Below(4);
        return (ushort)(0x40 | masks | (precision << 8) | (rounding << 10) | (random.Chance(10) ? 0x1000 : 0));
    }

    private static ushort StatusWord(SeededRandom random)
    {
        int sticky = random.Chance(60) ? 0 : random.Below(128);
        int conditions = (random.Below(8) << 8) | (random.Chance(50) ? 0x4000 : 0);
        return (ushort)(sticky | conditions | (random.Below(8) << 11));
    }

    private static byte Tags(SeededRandom random, bool x87) => random.Below(4) switch
    {
        0 => (byte)random.Next(),
        1 => (byte)(x87 ? 0xff : 0),
        2 => (byte)(x87 ? 0xff : random.Next()),
        _ => (byte)(random.Next() | random.Next() | random.Next()),
    };

    private static uint Mxcsr(SeededRandom random)
    {
        if (random.Chance(45))
        {
            return 0x1f80;
        }

        uint masks = random.Chance(75) ? 0x3f : (uint)random.Below(64);
        uint rounding = (uint)random.Below(4);
        uint sticky = random.Chance(60) ? 0 : (uint)random.Below(64);
        uint denormals = random.Chance(30) ? 0x40u : 0;
        uint flush = random.Chance(30) ? 0x8000u : 0;
        return sticky | denormals | (masks << 7) | (rounding << 13) | flush;
    }
}
