using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>The lists below registration: buckets, breakpoints, open calls, and what the fetch view is asked for.</summary>
public sealed class KprobeTableTests
{
    private readonly PaperKernel _kernel = new();

    [Fact]
    public void The_table_is_64_lists_by_the_top_bits_of_a_product_newest_first()
    {
        Random random = new(3);
        KprobeTable table = new();
        List<KprobeEntry> plain = [];
        for (int step = 0; step < 600; step++)
        {
            ulong address = PaperKernel.Base + (ulong)random.Next(200);
            KprobeEntry? there = plain.Find(e => e.Address == address);
            if (there is null)
            {
                KprobeEntry entry = new(new Breakpoint(address, step)) { FunctionStart = address / 16 };
                plain.Insert(0, entry);
                table.Add(entry);
            }
            else if (random.Next(4) == 0)
            {
                table.SetFunction(there, (ulong)random.Next(20));
                there = null;
            }
            else
            {
                plain.Remove(there);
                table.Remove(there);
                table.Remove(there);
            }

            Assert.Equal(plain.Count, table.Count);
            Assert.Equal(plain.OrderBy(e => Bucket(e.Address)), table.Snapshot());
            Assert.Equal(plain.Exists(e => e.Address == address), table.TryFind(address, out _));
            for (ulong function = 0; function < 20; function++)
            {
                Assert.Equal(
                    plain.Where(e => e.FunctionStart == function).Select(e => e.Address).Order(),
                    (table.InFunction(function) ?? []).Select(e => e.Address).Order());
            }
        }
    }

    [Fact]
    public void An_entry_that_is_not_in_the_table_may_be_told_its_function()
    {
        KprobeTable table = new();
        KprobeEntry inside = new(new Breakpoint(PaperKernel.Base, 0));
        table.Add(inside);
        KprobeEntry outside = new(new Breakpoint(PaperKernel.Base, 0));

        table.SetFunction(outside, 5);

        Assert.Equal(5UL, outside.FunctionStart);
        Assert.Null(table.InFunction(5));
        Assert.Equal([inside], table.InFunction(0)!);
    }

    [Fact]
    public void Every_bucket_is_that_of_some_address()
    {
        HashSet<int> seen = [];
        for (ulong address = PaperKernel.Base; address < PaperKernel.Base + 2000; address++)
        {
            Assert.Equal(Bucket(address), KprobeTable.BucketOf(address));
            seen.Add(Bucket(address));
        }

        Assert.Equal(KprobeTable.BucketCount, seen.Count);
    }

    [Fact]
    public void Breakpoints_are_numbered_and_found_again()
    {
        BreakpointMap map = new(_kernel, _kernel);
        for (int i = 0; i < 300; i++)
        {
            Assert.False(map.Contains(i));
            Breakpoint made = map.At(PaperKernel.Base + (ulong)(i * 7));
            Assert.Equal((i, PaperKernel.Base + (ulong)(i * 7)), (made.Slot, made.Address));
            Assert.Same(made, map.At(made.Address));
            Assert.Same(made, map[i]);
            Assert.True(map.Contains(i) && map.Contains(0));
            Assert.True(map.TryFind(made.Address, out Breakpoint? found) && found == made);
        }

        Assert.False(map.Contains(-1));
        Assert.False(map.TryFind(PaperKernel.Base + 1, out _));
    }

    [Fact]
    public void A_breakpoint_stands_while_a_probe_or_a_return_wants_it()
    {
        List<TextPoke> pokes = [];
        _kernel.Write(PaperKernel.Base + 0x10, 0x55);
        BreakpointMap map = new(_kernel, _kernel) { Poked = pokes.Add };
        Breakpoint at = map.At(PaperKernel.Base + 0x10);

        map.Synchronize();
        Assert.Empty(_kernel.Asked);
        map.SetProbe(at, armed: true, shown: true, "arm");
        map.SetReturnSite(at, true);
        map.SetProbe(at, armed: false, shown: false, "disarm");
        Assert.Equal((string[])["arm 10 0"], _kernel.Asked);
        map.SetReturnSite(at, false);
        map.Synchronize();
        map.Synchronize();
        Assert.Equal((string[])["arm 10 0", "disarm 10", "synchronize"], _kernel.Asked);
        Assert.Equal([new TextPoke(at.Address, 0x55, 0xCC, "arm"), new TextPoke(at.Address, 0xCC, 0x55, "disarm")], pokes);

        // Of an internal probe no trace is told, and where nothing can be read the byte is 0.
        map.SetProbe(at, armed: true, shown: false, "arm");
        Assert.Equal(2, pokes.Count);
        Assert.True(at.IsInOverlay);
        map.SetProbe(map.At(PaperKernel.Base + 0x20), armed: true, shown: true, "arm");
        Assert.Equal(new TextPoke(PaperKernel.Base + 0x20, 0, 0xCC, "arm"), pokes[^1]);
    }

    [Fact]
    public void Return_sites_are_dropped_from_the_first_address_to_the_one_before_the_end()
    {
        BreakpointMap map = new(_kernel, _kernel);
        for (ulong i = 0; i < 6; i++)
        {
            map.SetReturnSite(map.At(PaperKernel.Base + i), true);
        }

        map.SetProbe(map.At(PaperKernel.Base + 3), armed: true, shown: true, "arm");
        map.ClearReturnSites(PaperKernel.Base + 2, PaperKernel.Base + 5);

        Assert.Equal([true, true, false, false, false, true], Enumerable.Range(0, 6).Select(i => map[i].IsReturnSite));
        Assert.Equal([true, true, false, true, false, true], Enumerable.Range(0, 6).Select(i => map[i].IsInOverlay));
    }

    [Fact]
    public void Open_calls_of_a_stack_are_a_list()
    {
        Random random = new(9);
        ReturnStack stack = new();
        List<KretprobeInstance> plain = [];
        Kretprobe probe = new();
        for (int step = 0; step < 2000; step++)
        {
            switch (random.Next(8))
            {
                case < 5:
                    KretprobeInstance call = new(probe, 0) { Token = (ulong)random.Next(6) };
                    plain.Add(call);
                    stack.Push(call);
                    break;
                case < 7 when plain.Count > 0:
                    Assert.Same(plain[^1], stack.Pop());
                    plain.RemoveAt(plain.Count - 1);
                    break;
                default:
                    ulong token = (ulong)random.Next(8);
                    List<KretprobeInstance> removed = [];
                    stack.RemoveAll(c => c.Token == token, removed.Add);
                    Assert.Equal(plain.Where(c => c.Token == token), removed);
                    plain.RemoveAll(c => c.Token == token);
                    break;
            }

            Assert.Equal(plain, Enumerable.Range(0, stack.Count).Select(i => stack[i]));
        }
    }

    [Theory]
    [InlineData(1, 0, 10)]
    [InlineData(5, 0, 10)]
    [InlineData(6, 0, 12)]
    [InlineData(64, -1, 128)]
    [InlineData(64, 1, 1)]
    public void Return_probes_follow_ten_calls_or_two_a_processor_unless_told(int processors, int told, int expected)
    {
        _kernel.CpuCount = processors;
        _kernel.Define("f", PaperKernel.Base, [0xC3, .. new byte[300]]);
        Kretprobe probe = new() { Kp = { SymbolName = "f" }, MaxActive = told };

        Assert.True(_kernel.Probe().RegisterKretprobe(probe).IsSuccess);
        Assert.Equal(expected, probe.MaxActive);
    }

    [Theory]
    [InlineData(-1, -12)]
    [InlineData(0, 0)]
    [InlineData(1 << 20, 0)]
    [InlineData((1 << 20) + 1, -12)]
    public void A_calls_data_takes_up_to_a_mebibyte(int size, int errno)
    {
        _kernel.Define("f", PaperKernel.Base, [0xC3, .. new byte[300]]);

        Assert.Equal(errno, _kernel.Probe().RegisterKretprobe(new Kretprobe { Kp = { SymbolName = "f" }, DataSize = size }).Errno);
    }

    [Fact]
    public void A_call_that_is_used_again_begins_with_nothing()
    {
        Kretprobe probe = new() { DataSize = 3 };
        KretprobeInstance first = probe.Take();
        first.Data.Fill(1);
        first.Token = 7;
        probe.Give(first);

        KretprobeInstance again = probe.Take();
        Assert.Same(first, again);
        Assert.Equal((byte[])[0, 0, 0], again.Data.ToArray());
        Assert.Equal(0UL, again.Token);
        probe.Give(again);
        probe.Forget();
        Assert.NotSame(first, probe.Take());
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(5, "0")]
    [InlineData(65535, "0")]
    [InlineData(65536, "0")]
    [InlineData(65537, "1")]
    public void Text_is_watched_from_the_functions_start_to_the_longest_instructions_end(int offset, string from)
    {
        _kernel.Define("f", PaperKernel.Base, [.. Enumerable.Repeat((byte)0x90, offset), 0xC3, .. new byte[300]]);
        KprobeSubsystem kprobes = _kernel.Probe();
        Kprobe probe = new() { SymbolName = "f", Offset = (uint)offset };

        Assert.True(kprobes.RegisterKprobe(probe).IsSuccess);
        Assert.Equal((string[])[$"watch {from} {offset + 15:x}", $"arm {offset:x} 0", "synchronize"], _kernel.Asked);
        _kernel.Asked.Clear();
        kprobes.UnregisterKprobe(probe);
        Assert.Equal((string[])[$"disarm {offset:x}", $"leave {from} {offset + 15:x}", "synchronize"], _kernel.Asked);
    }

    [Fact]
    public void Probes_are_looked_at_again_in_the_functions_that_a_write_touches()
    {
        // mov eax, 0; nop … ret: 16 bytes each, with a gap of 8 behind the third, and a probe behind each mov.
        byte[] function = [0xB8, 0, 0, 0, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xC3];
        ulong[] starts = [0, 16, 32, 56, 72];
        foreach (ulong start in starts)
        {
            _kernel.Define($"f{start}", PaperKernel.Base + start, function);
        }

        _kernel.Write(PaperKernel.Base + 48, [.. new byte[8]]);
        _kernel.Write(PaperKernel.Base + 88, [.. new byte[300]]);
        foreach (ulong from in (ulong[])[0, 1, 4, 15, 16, 17, 31, 32, 47, 48, 49, 55, 56, 57, 71, 72, 87, 88, 89])
        {
            foreach (int length in (int[])[-1, 0, 1, 2, 15, 16, 17, 24, 25, 60])
            {
                KprobeSubsystem kprobes = _kernel.Probe();
                Kprobe[] probes = [.. starts.Select(s => new Kprobe { SymbolName = $"f{s}", Offset = 5 })];
                Assert.True(kprobes.RegisterKprobes(probes).IsSuccess);
                List<Kprobe> changed = [];
                kprobes.BoundaryChanged += (probe, off) => changed.AddRange(off ? [probe] : []);

                // All movs become xors of two bytes, and no instruction begins at the probes any more.
                SetFirstBytes(0x31);
                _kernel.TellOfWrite(PaperKernel.Base + from, length);
                kprobes.SettleText();
                bool[] touched = [.. starts.Select(s => length > 0 && from < s + 16 && from + (ulong)length > s)];
                Assert.Equal(touched, probes.Select(p => p.IsOffBoundary));
                Assert.Equal(probes.Where(p => p.IsOffBoundary), changed.OrderBy(p => p.Addr));

                _ = kprobes.List();
                Assert.All(probes, p => Assert.True(p.IsOffBoundary));
                Assert.Equal(5, changed.Count);
                SetFirstBytes(0xB8);
                kprobes.SettleAllText();
                Assert.All(probes, p => Assert.False(p.IsOffBoundary));
                kprobes.UnregisterKprobes(probes);
            }
        }

        void SetFirstBytes(byte value) => Array.ForEach(starts, s => _kernel.Write(PaperKernel.Base + s, value));
    }

    private static int Bucket(ulong address)
    {
        UInt128 product = (UInt128)address * 0x61C8_8646_80B5_83EB;
        return (int)((ulong)(product % ((UInt128)1 << 64)) / (1UL << 58));
    }
}
