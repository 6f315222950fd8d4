using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>The fetch view against a set of addresses: in the image by where it lies, elsewhere by what the kernel calls it.</summary>
public sealed class FetchViewTests : IDisposable
{
    private readonly SyntheticGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void What_is_armed_is_found_and_its_page_known_as_long_as_it_is(int seed)
    {
        Random random = new(seed);
        ulong[] places = [.. Places()];
        Dictionary<ulong, int> armed = [];
        for (int step = 0; step < 400; step++)
        {
            ulong at = places[random.Next(places.Length)];
            if (random.Next(2) == 0)
            {
                _guest.View.Arm(at, step);
                armed.TryAdd(at, step);
            }
            else
            {
                _guest.View.Disarm(at);
                armed.Remove(at);
            }

            foreach (ulong place in places)
            {
                bool inImage = InImage(place, out ulong physical);
                int expected = armed.GetValueOrDefault(place, -1);
                bool page = armed.Keys.Any(a => a >> 12 == place >> 12);

                // In the image the mapping does not matter; elsewhere it is all that matters.
                const ulong none = 0x7F_0000_0000;
                Assert.Equal(expected, _guest.View.Find(inImage ? physical : none, inImage ? none : place));
                Assert.Equal(-1, _guest.View.Find(inImage ? none : physical, inImage ? place : none));
                Assert.Equal(page, _guest.View.MayContain((inImage ? physical : none) & ~0xFFFUL, (inImage ? none : place) & ~0xFFFUL));
                Assert.False(_guest.View.MayContain((inImage ? none : physical) & ~0xFFFUL, (inImage ? place : none) & ~0xFFFUL));
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Writes_are_told_of_in_all_pages_that_someone_watches(int seed)
    {
        Random random = new(seed);
        ulong[] edges = [.. Places().SelectMany(p => (ulong[])[p, p + 0x1000])];
        List<(ulong Start, ulong Behind)> watches = [];
        List<(ulong, int)> told = [];
        _guest.View.TextWritten += (address, length) => told.Add((address, length));
        for (int step = 0; step < 200; step++)
        {
            if (random.Next(5) < 3)
            {
                ulong start = edges[random.Next(edges.Length)];
                ulong behind = start + (ulong)(random.Next(3) * 0x800) + (ulong)random.Next(2) + 1;
                watches.Add((start, behind));
                _guest.View.Watch(start, behind, true);
            }
            else if (watches.Count > 0)
            {
                (ulong start, ulong behind) = watches[random.Next(watches.Count)];
                watches.Remove((start, behind));
                _guest.View.Watch(start, behind, false);
            }

            foreach (ulong at in edges)
            {
                told.Clear();
                _guest.Write(at, 0x90);
                bool watched = watches.Any(w => at >> 12 >= w.Start >> 12 && at >> 12 <= (w.Behind - 1) >> 12);
                Assert.Equal(watched ? [(at, 1)] : [], told);
            }
        }
    }

    private static IEnumerable<ulong> Places() =>
        from start in (ulong[])[SyntheticGuest.TextBase, SyntheticGuest.TextBase + 0x2000, SyntheticGuest.ModuleBase, SyntheticGuest.ModuleBase + 0x1000]
        from offset in (ulong[])[0, 1, 0xFFF]
        select start + offset;

    private bool InImage(ulong address, out ulong physical)
    {
        // Whatever lies outside the image has some place as well, which the view must not mistake for it.
        physical = 0x50_0000 + (address & 0xFFFF);
        return _guest.Image.TryLinkToPhysical(address, out ulong found) && (physical = found) == found;
    }
}
