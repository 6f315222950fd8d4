using Xunit;

namespace KprobeTrace.Fuzz.Soak;

public sealed class HeldEntriesTests
{
    [Fact]
    public void Entries_are_counted_by_the_fields_that_lead_to_them()
    {
        Holder holder = new();
        for (int i = 0; i < 7; i++)
        {
            holder.Names.Add(i, [i, i]);
        }

        IReadOnlyDictionary<string, long> counts = HeldEntries.Count(holder);

        Assert.Equal(7, counts["Holder.Names#"]);
        Assert.Equal(14, counts["Holder.Names._entries.value#"]);
        Assert.Equal(5, counts["Holder.Bytes[]"]);
    }

    [Fact]
    public void A_ring_of_objects_is_counted_once()
    {
        Holder first = new();
        first.Other = new Holder { Other = first };

        Assert.Equal(5, HeldEntries.Count(first)["Holder.Other.Bytes[]"]);
    }

    private sealed class Holder
    {
        public readonly Dictionary<int, List<int>> Names = [];
        public readonly byte[] Bytes = new byte[5];
        public Holder? Other;
    }
}
