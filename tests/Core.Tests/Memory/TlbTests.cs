using KprobeTrace.Memory;
using Xunit;

namespace KprobeTrace.Tests.Memory;

/// <summary>What each kind of flush leaves of a full TLB, beside a list of all that was put in.</summary>
public sealed unsafe class TlbTests : IDisposable
{
    private readonly Tlb _tlb = new();
    private readonly (ulong Linear, ulong Flags)[] _entries = new (ulong, ulong)[Tlb.Entries * Tlb.Modes];
    private readonly Random _random = new(11);

    public TlbTests()
    {
        for (int i = 0; i < _entries.Length; i++)
        {
            ulong flags = (uint)_random.Next(2) + (_random.Next(3) switch { 0 => 0UL, 1 => 2UL, _ => 4UL });
            ulong linear = ((ulong)_random.Next(1 << 12) << 22) | ((ulong)(i % Tlb.Entries) << 12);
            _entries[i] = (linear, flags);
            TlbEntry* e = Tlb.EntryOf(_tlb.Table(i / Tlb.Entries), linear + 0xFFF);
            Assert.Equal(i % Tlb.Entries, (int)(e - _tlb.Table(i / Tlb.Entries)));
            *e = new TlbEntry { ReadTag = linear, WriteTag = linear, Addend = (ulong)i << 32, Flags = flags };
        }
    }

    public void Dispose() => _tlb.Dispose();

    [Fact]
    public void A_load_of_cr3_leaves_global_pages()
    {
        _tlb.FlushNonGlobal();

        Left(static (_, flags) => flags % 2 == 1);
    }

    [Fact]
    public void A_full_flush_leaves_nothing()
    {
        _tlb.FlushAll();

        Left(static (_, _) => false);
    }

    [Fact]
    public void Invlpg_takes_all_pieces_of_the_page_that_holds_the_address()
    {
        HashSet<ulong> flushed = [];
        for (int i = 0; i < 200; i++)
        {
            ulong address = _entries[_random.Next(_entries.Length)].Linear + (ulong)_random.Next(0x1000);
            _tlb.FlushPage(address);
            flushed.Add(address);
        }

        Left((linear, flags) => !flushed.Any(address => Page(address, flags) == Page(linear, flags)));
    }

    [Fact]
    public void Code_in_a_host_page_takes_the_right_to_write_it_and_nothing_else()
    {
        TlbEntry* e = _tlb.Table(Tlb.User) + 77;
        TlbEntry* other = _tlb.Table(Tlb.SupervisorAc) + 78;
        other->Addend = e->WriteTag + e->Addend - other->WriteTag;

        _tlb.ProtectHostPage((byte*)(e->ReadTag + e->Addend));

        for (int i = 0; i < _entries.Length; i++)
        {
            TlbEntry* x = _tlb.Table(0) + i;
            Assert.Equal(_entries[i].Linear, x->ReadTag);
            Assert.Equal(x == e || x == other ? Tlb.InvalidTag(i % Tlb.Entries) : _entries[i].Linear, x->WriteTag);
        }
    }

    private static ulong Page(ulong address, ulong flags) => address / ((flags & 6) switch { 0 => 1UL << 12, 2 => 1UL << 21, _ => 1UL << 30 });

    private void Left(Func<ulong, ulong, bool> stays)
    {
        for (int i = 0; i < _entries.Length; i++)
        {
            TlbEntry e = _tlb.Table(0)[i];
            (ulong linear, ulong flags) = _entries[i];
            ulong invalid = Tlb.InvalidTag(i % Tlb.Entries);
            TlbEntry expected = stays(linear, flags)
                ? new TlbEntry { ReadTag = linear, WriteTag = linear, Addend = (ulong)i << 32, Flags = flags }
                : new TlbEntry { ReadTag = invalid, WriteTag = invalid };
            Assert.Equal(expected, e);
        }
    }
}
