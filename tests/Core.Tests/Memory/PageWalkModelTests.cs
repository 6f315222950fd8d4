using System.Buffers.Binary;
using KprobeTrace.Memory;
using Xunit;

namespace KprobeTrace.Tests.Memory;

/// <summary>Random page tables, walked a second time as Intel SDM vol. 3A §4.5 to §4.7 tell it, on a copy of the memory.</summary>
public sealed class PageWalkModelTests : IDisposable
{
    private const ulong Size = 0x1_0000;
    private const int Tables = 12;
    private const ulong FirstTable = 0x4000;

    private readonly PhysicalMemory _memory = new(Size);
    private readonly byte[] _copy = new byte[Size];
    private readonly Random _random = new(5);

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void Every_walk_finds_marks_and_refuses_what_the_manual_says()
    {
        int ok = 0;
        HashSet<uint> errors = [];
        for (int round = 0; round < 200; round++)
        {
            Lay();
            for (int i = 0; i < 50; i++)
            {
                ulong cr3 = Table() + (uint)_random.Next(0x1000);
                ulong linear = (ulong)(_random.NextInt64() << 16 >> 16);
                PageAccess access = (PageAccess)_random.Next(256) & All;

                PageWalk expected = Walk(cr3, linear, access);
                PageWalk actual = PageWalker.Walk(_memory, cr3, linear, access);

                if (!expected.Equals(actual))
                {
                    Assert.Equal((cr3, linear, access, expected), (cr3, linear, access, actual));
                }

                ok += actual.Ok ? 1 : 0;
                errors.Add(actual.ErrorCode);
            }

            byte[] after = new byte[Size];
            Assert.True(_memory.TryRead(0, after));
            Assert.True(_copy.AsSpan().SequenceEqual(after), "marks differ");
        }

        Assert.True(ok > 500, $"{ok} translations");
        Assert.True(errors.Count > 12, $"{errors.Count} error codes");
    }

    private static PageAccess All => PageAccess.Write | PageAccess.Fetch | PageAccess.User | PageAccess.WriteProtect | PageAccess.NoExecuteEnabled
        | PageAccess.Smep | PageAccess.Smap | PageAccess.Peek;

    /// <summary>Tables whose entries mostly allow, some of them refusing one thing.</summary>
    private void Lay()
    {
        for (int at = 0; at < Tables * 0x1000; at += 8)
        {
            ulong entry = Table() | 7;
            entry |= _random.Next(4) == 0 ? 1UL << 7 : 0;
            entry |= (uint)_random.Next(16) << 5 & 0x160;
            for (int i = _random.Next(3); i > 0; i--)
            {
                entry ^= 1UL << _random.Next(0, 64);
            }

            if ((entry & 0x80) != 0 && _random.Next(3) != 0)
            {
                // A large page where one can be: all below its address bits is clear.
                entry = (entry & ~0x3FFF_E000UL) | ((ulong)_random.Next(1 << 10) << 30);
            }

            entry ^= _random.Next(6) == 0 ? 1UL << 63 : 0;
            BinaryPrimitives.WriteUInt64LittleEndian(_copy.AsSpan((int)FirstTable + at), entry);
        }

        Assert.True(_memory.TryWrite(0, _copy));
    }

    private ulong Table() => _random.Next(40) == 0 ? Size : FirstTable + ((ulong)_random.Next(Tables) << 12);

    private PageWalk Walk(ulong cr3, ulong linear, PageAccess access)
    {
        bool Has(PageAccess bit) => (access & bit) != 0;
        PageWalk Fault(uint cause) => new()
        {
            ErrorCode = cause + (Has(PageAccess.Write) ? 2u : 0) + (Has(PageAccess.User) ? 4u : 0)
                + (Has(PageAccess.Fetch) && (Has(PageAccess.NoExecuteEnabled) || Has(PageAccess.Smep)) ? 16u : 0),
        };

        List<ulong> places = [];
        bool writable = true;
        bool user = true;
        bool executable = true;
        ulong table = cr3 & 0xFF_FFFF_F000;
        int shift = 39;
        while (true)
        {
            ulong place = table + (((linear >> shift) & 0x1FF) << 3);
            if (place >= Size)
            {
                return Fault(9);
            }

            places.Add(place);
            ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(_copy.AsSpan((int)place));
            bool last = shift == 12 || (entry & 0x80) != 0;
            if ((entry & 1) == 0)
            {
                return Fault(0);
            }

            bool reserved = (entry >> 40 & 0xFFF) != 0
                || (entry >> 63 != 0 && !Has(PageAccess.NoExecuteEnabled))
                || (shift == 39 && last)
                || (shift == 30 && last && (entry & 0x3FFF_E000) != 0)
                || (shift == 21 && last && (entry & 0x1F_E000) != 0);
            if (reserved)
            {
                return Fault(9);
            }

            writable &= (entry & 2) != 0;
            user &= (entry & 4) != 0;
            executable &= entry >> 63 == 0;
            if (!last)
            {
                table = entry & 0xFF_FFFF_F000;
                shift -= 9;
                continue;
            }

            bool supervisor = !Has(PageAccess.User);
            bool reads = supervisor ? !user || !Has(PageAccess.Smap) : user;
            bool writes = reads && (writable || (supervisor && !Has(PageAccess.WriteProtect)));
            bool fetches = executable && (supervisor ? !user || !Has(PageAccess.Smep) : user);
            if (!Has(PageAccess.Peek))
            {
                if (Has(PageAccess.Fetch) ? !fetches : Has(PageAccess.Write) ? !writes : !reads)
                {
                    return Fault(1);
                }

                places.ForEach(used => _copy[used] |= 0x20);
                _copy[place] |= Has(PageAccess.Write) ? (byte)0x40 : (byte)0;
            }

            ulong size = 1UL << shift;
            return new PageWalk
            {
                Ok = true,
                Physical = (entry & 0xFF_FFFF_F000 & ~(size - 1)) + (linear & (size - 1)),
                PageSize = size,
                Global = (entry & 0x100) != 0,
                Writable = writes && (_copy[place] & 0x40) != 0,
            };
        }
    }
}
