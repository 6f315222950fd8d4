namespace KprobeTrace.Cpu.Float;

/// <content>Comparisons.</content>
internal static partial class SseFloat<TFormat>
{
    /// <summary>How two numbers stand to each other.</summary>
    /// <param name="a">First operand.</param>
    /// <param name="b">Second operand.</param>
    /// <param name="signals">Whether a quiet NaN is an invalid operand too (COMISD, and LT and LE of CMPPD).</param>
    /// <param name="status">Denormal treatment and flags.</param>
    public static FloatRelation Compare(ulong a, ulong b, bool signals, ref FloatStatus status)
    {
        if (IsNaN(a) || IsNaN(b))
        {
            if (signals || IsSignaling(a) || IsSignaling(b))
            {
                status.Raise(FloatFlags.Invalid);
            }
            return FloatRelation.Unordered;
        }
        Flush(ref a, status);
        Flush(ref b, status);
        NoteDenormals(a, b, ref status);
        if (Less(a, b))
        {
            return FloatRelation.Less;
        }
        return Less(b, a) ? FloatRelation.Greater : FloatRelation.Equal;
    }

    /// <summary>CMPPS and its relatives: whether the predicate holds.</summary>
    /// <param name="a">First operand.</param>
    /// <param name="b">Second operand.</param>
    /// <param name="predicate">Immediate bits 0 to 2: EQ LT LE UNORD NEQ NLT NLE ORD.</param>
    /// <param name="status">Denormal treatment and flags.</param>
    public static bool Holds(ulong a, ulong b, int predicate, ref FloatStatus status)
    {
        FloatRelation relation = Compare(a, b, (predicate & 3) is 1 or 2, ref status);
        bool holds = (predicate & 3) switch
        {
            0 => relation == FloatRelation.Equal,
            1 => relation == FloatRelation.Less,
            2 => relation is FloatRelation.Less or FloatRelation.Equal,
            _ => relation == FloatRelation.Unordered,
        };
        return holds != ((predicate & 4) != 0);
    }
}
