using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

/// <summary>Code of which other code takes the place: names are written anew for its addresses and for no others.</summary>
public sealed class ForgottenSymbolsTests
{
    private static readonly ulong[] _addresses = [0x0FFF, 0x1000, 0x1FFF, 0x2000];

    [Fact]
    public void Addresses_of_the_stretch_are_named_anew_behind_the_events_before() => Assert.Equal(
        "symbols old_fff old_1000 old_1fff old_2000 | 4 events | symbols new_1000 new_1fff | 4 events",
        Write(static (_, isNew) => isNew));

    [Fact]
    public void Where_the_same_code_comes_back_nothing_is_closed_or_named() => Assert.Equal(
        "symbols old_fff old_1000 old_1fff old_2000 | 8 events",
        Write(static (address, isNew) => isNew && address is < 0x1000 or >= 0x2000));

    [Theory]
    [InlineData(0x1000)]
    [InlineData(0x1FFF)]
    public void Where_one_address_has_another_name_all_of_the_stretch_are_written(ulong other) => Assert.Equal(
        $"symbols old_fff old_1000 old_1fff old_2000 | 4 events | symbols {(other == 0x1000 ? "new" : "old")}_1000 {(other == 0x1FFF ? "new" : "old")}_1fff | 4 events",
        Write((address, isNew) => isNew && address == other));

    [Fact]
    public void A_symbol_that_is_no_more_is_not_written_again() => Assert.Equal(
        "symbols old_fff old_1000 old_1fff old_2000 | 4 events | symbols new_1000 | 4 events",
        Write(static (_, isNew) => isNew, gone: 0x1FFF));

    /// <summary>What a reader finds of two events at each address, between which the stretch from 0x1000 to 0x2000 is forgotten.</summary>
    private static string Write(Func<ulong, bool, bool> hasNewName, ulong gone = 0)
    {
        bool isNew = false;
        MemoryStream stream = new();
        using (TraceWriter writer = new(stream, "memory", new TraceHeader { ImageName = "vmlinuz", ImageSha256 = new string('0', 64) }, new TraceWriterOptions
        {
            ResolveSymbol = address => isNew && address == gone ? null : new TraceSymbol(address, 1, $"{(hasNewName(address, isNew) ? "new" : "old")}_{address:x}", "m", 't'),
        }))
        {
            for (int round = 0; round < 2; round++)
            {
                foreach (ulong address in _addresses)
                {
                    TraceEvent e = new() { Address = address };
                    _ = writer.WriteEvent(in e, [], []);
                }

                isNew = true;
                if (round == 0)
                {
                    writer.ForgetSymbols(0x1000, 0x2000);
                }
            }

            writer.Complete(new TraceFooter { Ended = "poweroff" });
        }

        List<string> parts = [];
        using TraceReader reader = new(new MemoryStream(stream.ToArray()), "memory");
        while (reader.ReadChunk())
        {
            if (reader.Kind == TraceChunkKind.Symbols)
            {
                parts.Add("symbols " + string.Join(' ', reader.Symbols.Select(static s => s.Name)));
            }
            else if (reader.Kind == TraceChunkKind.Events)
            {
                parts.Add($"{reader.Events.Length} events");
            }
        }

        Assert.Empty(reader.Damage);
        return string.Join(" | ", parts);
    }
}
