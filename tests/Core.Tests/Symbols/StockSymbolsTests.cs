using System.Collections.Concurrent;
using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Symbols;

/// <summary>What the recovered tables of Debian's kernels say is held against the kernels' own code and sections.</summary>
public sealed class StockSymbolsTests
{
    private static readonly ConcurrentDictionary<string, (LoadedImage Image, SymbolTable Symbols, Btf Types)> _kernels = new();

    [StockGuestTheory]
    [InlineData("vmlinuz-cloud")]
    [InlineData("vmlinuz-amd64")]
    [InlineData("vmlinuz-6.12-amd64")]
    [InlineData("vmlinuz-7-cloud")]
    public void Kallsyms_agree_with_the_section_headers(string file)
    {
        (LoadedImage image, SymbolTable symbols, _) = Load(file);

        Assert.InRange(symbols.Count, 50_000, 500_000);
        Assert.Equal(image.EntryLink, symbols.AddressOf("startup_64"));
        Assert.Equal(image.LinkRanges.Where(range => (long)range.LinkAddress < 0).Min(range => range.LinkAddress), symbols.AddressOf("_text"));
        AssertSection(image, symbols, "__ex_table", "__start___ex_table", "__stop___ex_table");
        AssertSection(image, symbols, "__bug_table", "__start___bug_table", "__stop___bug_table");
        AssertSection(image, symbols, ".BTF", "__start_BTF", "__stop_BTF");
        AssertSection(image, symbols, ".orc_unwind_ip", "__start_orc_unwind_ip", "__stop_orc_unwind_ip");
        AssertSection(image, symbols, ".orc_unwind", "__start_orc_unwind", "__stop_orc_unwind");
        if (file != "vmlinuz-7-cloud")
        {
            // 7.x keeps them in another section.
            AssertSection(image, symbols, ".smp_locks", "__smp_locks", "__smp_locks_end");
        }

        Assert.Equal(symbols.AddressOf("_sinittext"), image.Elf!.FindSection(".init.text")!.Address);
        Assert.True(image.TryLinkToPhysical(symbols.AddressOf("init_top_pgt")!.Value, out ulong table));
        Assert.Equal(0ul, table & 0xFFF);
    }

    [StockGuestTheory]
    [InlineData("vmlinuz-cloud")]
    [InlineData("vmlinuz-amd64")]
    [InlineData("vmlinuz-6.12-amd64")]
    [InlineData("vmlinuz-7-cloud")]
    public void The_table_of_kernels_tried_has_what_is_found_in_this_one(string file)
    {
        (LoadedImage image, SymbolTable symbols, Btf types) = Load(file);
        string? row = File.ReadLines(Repository.PathOf("docs/images.md"))
            .SingleOrDefault(l => l.StartsWith('|') && l.Contains($"| {image.KernelRelease} |", StringComparison.Ordinal));

        // Debian's kernels move on between two runs of bench/kernels.sh, which prints the table.
        string found = FormattableString.Invariant($"{symbols.Count:N0} | {symbols.All().Count(s => s.IsText):N0} | {types.Count - 1:N0}");
        Assert.Equal(found, row is null ? found : string.Join('|', row.Split('|')[3..6]).Trim());
    }

    [StockGuestTheory]
    [InlineData("vmlinuz-cloud")]
    [InlineData("vmlinuz-amd64")]
    [InlineData("vmlinuz-6.12-amd64")]
    [InlineData("vmlinuz-7-cloud")]
    public void BTF_and_kallsyms_know_the_same_functions(string file)
    {
        (_, SymbolTable symbols, Btf types) = Load(file);

        int known = 0;
        int described = 0;
        for (int id = 1; id < types.Count; id++)
        {
            BtfType type = types.TypeOf(id);
            if (type.Kind == BtfKind.Function)
            {
                described++;
                known += symbols.AddressOf(type.Name) is null ? 0 : 1;
            }
        }

        Assert.InRange(described, 10_000, 200_000);
        Assert.InRange(known, described * 95 / 100, described);
        Assert.Equal(
            ["dfd", "filename", "how"], types.FindFunction("do_sys_openat2")!.Parameters.Select(p => p.Name));
        Assert.Equal(16ul, types.SizeOf(types.FindMember(types.FindStruct("task_struct")!.Value, "comm")!.Value.Type));
    }

    [StockGuestTheory]
    [InlineData("vmlinuz-cloud")]
    [InlineData("vmlinuz-amd64")]
    [InlineData("vmlinuz-6.12-amd64")]
    [InlineData("vmlinuz-7-cloud")]
    public void The_tables_point_at_the_instructions_they_are_about(string file)
    {
        (LoadedImage image, SymbolTable symbols, Btf types) = Load(file);
        GuestTables tables = new(image, symbols, types);

        GuestRange bugs = new(symbols.AddressOf("__start___bug_table")!.Value, symbols.AddressOf("__stop___bug_table")!.Value);
        Assert.All(tables.BugSites, site => Assert.True(IsTrap(image, site) || FollowsLoadOf(image, site, bugs), $"{site:x}"));
        Assert.DoesNotContain(0ul, tables.FtraceSites);
        Assert.All(tables.FtraceSites, site => Assert.Contains(Code(image, site, 1)[0], (byte[])[0xE8, 0x0F]));
        Assert.All(tables.StaticCalls, site => Assert.Contains(Code(image, site, 1)[0], (byte[])[0xE8, 0xE9]));
        Assert.All(tables.JumpLabels, site => Assert.Contains(Code(image, site, 1)[0], (byte[])[0x66, 0x0F, 0xE9, 0xEB]));
        Assert.All(tables.ExceptionSites, site => Assert.True(symbols.TryFind(site, out Symbol symbol, out _) && symbol.Address != 0));
        Assert.InRange(tables.BugSites.Count, 1000, 100_000);
        Assert.InRange(tables.ExceptionSites.Count, 100, 100_000);
        Assert.InRange(tables.JumpLabels.Count, 1000, 100_000);
        Assert.InRange(tables.FtraceSites.Count, 10_000, 200_000);
        Assert.True(tables.IsBlacklisted(symbols.AddressOf("exc_int3")!.Value));
        Assert.True(tables.IsBlacklisted(symbols.AddressOf("entry_SYSCALL_64")!.Value + 5));
        Assert.True(tables.IsBlacklisted(symbols.AddressOf("kprobe_int3_handler")!.Value));
        Assert.False(tables.IsBlacklisted(symbols.AddressOf("do_sys_openat2")!.Value));
        Assert.True(tables.InitText.Contains(symbols.AddressOf("start_kernel")!.Value));
        Assert.True(tables.Text.Contains(symbols.AddressOf("schedule")!.Value));
    }

    private static (LoadedImage Image, SymbolTable Symbols, Btf Types) Load(string file) => _kernels.GetOrAdd(
        file,
        static name =>
        {
            LoadedImage image = ImageLoader.Load(StockGuest.PathOf(name), new ImageLoadOptions());
            SymbolTable symbols = ImageSymbols.Load(image);
            return (image, symbols, Btf.Load(image, symbols)!);
        });

    private static bool IsTrap(LoadedImage image, ulong site) => Code(image, site, 2) is [0x0F, 0x0B];

    /// <summary>Whether a <c>lea</c> of an address in a range ends at the site: a WARN with arguments loads its entry so.</summary>
    private static bool FollowsLoadOf(LoadedImage image, ulong site, GuestRange range)
    {
        byte[] load = Code(image, site - 7, 7);
        return load[0] is 0x48 or 0x4C && load[1] == 0x8D && (load[2] & 0xC7) == 5
            && range.Contains(site + (ulong)BitConverter.ToInt32(load, 3));
    }

    private static byte[] Code(LoadedImage image, ulong address, int length) =>
        image.BytesAtLink(address).Span[..length].ToArray();

    private static void AssertSection(LoadedImage image, SymbolTable symbols, string section, string start, string stop)
    {
        ElfSection found = image.Elf!.FindSection(section)!;
        Assert.Equal(symbols.AddressOf(start), found.Address);
        Assert.InRange(symbols.AddressOf(stop)!.Value, found.Address + found.Size - 8, found.Address + found.Size + 0x1000);
    }
}
