using System.Buffers.Binary;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Bit patterns of floating-point numbers of every class, ordinary ones most often.</summary>
internal static class FloatPatterns
{
    public static uint Single(SeededRandom random) => (uint)Binary(random, 8, 23);

    public static ulong Double(SeededRandom random) => Binary(random, 11, 52);

    /// <summary>An 80-bit number, encodings that no operation makes included.</summary>
    public static void Extended(SeededRandom random, Span<byte> to)
    {
        const int Bias = 16383;
        ulong integerBit = 1ul << 63;
        ulong fraction = Fraction(random, 63);
        int exponent;
        switch (random.Below(20))
        {
            case 0:
                exponent = 0;
                fraction = integerBit = 0;
                break;
            case 1:
                exponent = 0;
                integerBit = 0;
                break;
            case 2:
                exponent = random.Chance(50) ? 0 : 1;
                break;
            case 3:
                exponent = 0x7fff;
                fraction = 0;
                break;
            case 4:
                exponent = 0x7fff;
                fraction |= 1ul << 62;
                break;
            case 5:
                exponent = 0x7fff;
                fraction &= ~(1ul << 62);
                break;
            case 6:
                exponent = 0x7fff - 1 - random.Below(70);
                break;
            case 7:
                exponent = 1 + random.Below(70);
                break;
            case 8:
                exponent = random.Below(0x8000);
                break;
            case 9:
                exponent = random.Below(0x8000);
                integerBit = random.Chance(50) ? 0 : integerBit;
                break;
            case 10:
                exponent = random.Chance(50) ? 0x3ff + Bias : Bias - 0x3ff;
                exponent += random.Below(60) - 30;
                break;
            case 11:
                exponent = random.Chance(50) ? 0x7f + Bias : Bias - 0x7f;
                exponent += random.Below(60) - 30;
                break;
            default:
                exponent = Bias + random.Below(140) - 70;
                break;
        }

        BinaryPrimitives.WriteUInt64LittleEndian(to, integerBit | fraction);
        BinaryPrimitives.WriteUInt16LittleEndian(to[8..], (ushort)(exponent | (random.Chance(50) ? 0x8000 : 0)));
    }

    /// <summary>A packed decimal number of 18 digits; now and then with digits that are none.</summary>
    public static void Decimal(SeededRandom random, Span<byte> to)
    {
        int digits = random.Below(19);
        for (int i = 0; i < 9; i++)
        {
            int low = i * 2 < digits ? random.Below(10) : 0;
            int high = (i * 2) + 1 < digits ? random.Below(10) : 0;
            to[i] = (byte)(low | (high << 4));
        }

        to[9] = (byte)(random.Chance(50) ? 0x80 : 0);
        if (random.Chance(10))
        {
            random.Fill(to[..10]);
        }
    }

    private static ulong Binary(SeededRandom random, int exponentBits, int fractionBits)
    {
        int maximum = (1 << exponentBits) - 1;
        int bias = maximum >> 1;
        ulong fraction = Fraction(random, fractionBits);
        int exponent;
        switch (random.Below(20))
        {
            case 0:
                exponent = 0;
                fraction = 0;
                break;
            case 1:
                exponent = 0;
                break;
            case 2:
                exponent = maximum;
                fraction = 0;
                break;
            case 3:
                exponent = maximum;
                fraction |= 1ul << (fractionBits - 1);
                break;
            case 4:
                exponent = maximum;
                fraction = (fraction & ((1ul << (fractionBits - 1)) - 1)) | 1;
                break;
            case 5:
                exponent = maximum - 1 - random.Below(3);
                break;
            case 6:
                exponent = 1 + random.Below(3);
                break;
            case 7 or 8:
                exponent = random.Below(maximum + 1);
                break;
            case 9:
                exponent = bias + random.Below(70);
                break;
            case 10:
                exponent = bias + 28 + random.Below(6) + (random.Chance(50) ? 32 : 0);
                break;
            case 11:
                exponent = (bias / 2) + random.Below(fractionBits * 2) - fractionBits;
                break;
            default:
                exponent = bias + random.Below(40) - 20;
                break;
        }

        exponent = Math.Clamp(exponent, 0, maximum);
        return ((random.Chance(50) ? 1ul : 0) << (exponentBits + fractionBits)) | ((ulong)exponent << fractionBits) | fraction;
    }

    /// <summary>Few bits, many bits, few leading bits (exact results) or random ones.</summary>
    private static ulong Fraction(SeededRandom random, int bits)
    {
        ulong mask = (1ul << bits) - 1;
        return random.Below(8) switch
        {
            0 => 0,
            1 => mask,
            2 => 1ul << random.Below(bits),
            3 => (mask << random.Below(bits)) & mask,
            4 => (random.Next() << (bits - 1 - random.Below(12))) & mask,
            5 => mask >> random.Below(bits),
            _ => random.Next() & mask,
        };
    }
}
