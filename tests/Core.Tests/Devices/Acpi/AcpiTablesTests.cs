using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using KprobeTrace.Devices.Acpi;
using Xunit;

namespace KprobeTrace.Tests.Devices.Acpi;

public sealed class AcpiTablesTests
{
    private const string Disassembler = "iasl";

    private readonly byte[] _block = AcpiTables.Build(2);

    [Fact]
    public void The_root_pointer_comes_first_with_both_checksums()
    {
        Assert.Equal("RSD PTR ", Encoding.ASCII.GetString(_block, 0, 8));
        Assert.Equal(0, Sum(_block.AsSpan(0, 20)));
        Assert.Equal(0, Sum(_block.AsSpan(0, 36)));
        Assert.Equal(2, _block[15]);
    }

    [Fact]
    public void Every_table_is_reachable_and_sums_to_zero()
    {
        foreach (string signature in new[] { "RSDT", "XSDT", "FACP", "APIC", "DSDT" })
        {
            ReadOnlySpan<byte> table = Find(signature);
            Assert.Equal(0, Sum(table));
            Assert.Equal("KPROBE", Encoding.ASCII.GetString(table.Slice(10, 6)));
        }
    }

    [Fact]
    public void Both_roots_name_the_same_tables()
    {
        ReadOnlySpan<byte> rsdt = Find("RSDT");
        ReadOnlySpan<byte> xsdt = Find("XSDT");

        Assert.Equal(36 + 8, rsdt.Length);
        Assert.Equal(36 + 16, xsdt.Length);
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal(Get32(rsdt, 36 + (4 * i)), (uint)BinaryPrimitives.ReadUInt64LittleEndian(xsdt[(36 + (8 * i))..]));
        }
    }

    [Fact]
    public void The_fixed_table_names_registers_reset_and_what_is_absent()
    {
        ReadOnlySpan<byte> fadt = Find("FACP");

        Assert.Equal(244, fadt.Length);
        Assert.Equal(9, BinaryPrimitives.ReadUInt16LittleEndian(fadt[46..]));
        Assert.Equal(0u, Get32(fadt, 48));
        Assert.Equal(0x600u, Get32(fadt, 56));
        Assert.Equal(0x604u, Get32(fadt, 64));
        Assert.Equal(0x608u, Get32(fadt, 76));
        Assert.Equal(0x32, fadt[108]);
        Assert.Equal(0x000C, BinaryPrimitives.ReadUInt16LittleEndian(fadt[109..]));
        Assert.Equal(0x575u, Get32(fadt, 112));
        Assert.Equal("01080001", Convert.ToHexString(fadt.Slice(116, 4)));
        Assert.Equal(0xCF9u, Get32(fadt, 120));
        Assert.Equal(6, fadt[128]);
        Assert.Equal(Get32(fadt, 40), Get32(fadt, 140));
    }

    [Fact]
    public void The_firmware_control_structure_is_aligned_to_64()
    {
        uint address = Get32(Find("FACP"), 36);

        Assert.Equal(0u, address % 64);
        Assert.Equal("FACS", Encoding.ASCII.GetString(_block, (int)(address - AcpiTables.BaseAddress), 4));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(255)]
    public void The_interrupt_table_names_every_processor(int count)
    {
        ReadOnlySpan<byte> madt = Find(AcpiTables.Build(count), "APIC");
        List<string> entries = [];
        for (int offset = 44; offset < madt.Length; offset += madt[offset + 1])
        {
            entries.Add(Convert.ToHexString(madt.Slice(offset, madt[offset + 1])));
        }

        Assert.Equal(0xFEE00000u, Get32(madt, 36));
        Assert.Equal(count, entries.Count(entry => entry.StartsWith("0008", StringComparison.Ordinal)));
        Assert.Equal(
            ["010C00000000C0FE00000000", "020A0000020000000000", "020A0009090000000D00", "0406FF000001"],
            entries[count..]);
    }

    [Fact]
    public void The_block_fits_below_one_megabyte()
    {
        Assert.InRange(AcpiTables.Build(AcpiTables.MaxProcessors).Length, 1, 0x10000);
        Assert.Throws<ArgumentOutOfRangeException>(() => AcpiTables.Build(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => AcpiTables.Build(256));
    }

    /// <summary>Resources as ACPI 6.4, section 6.4, encodes them: ports from and to, alignment, how many; a mask of interrupts; the end.</summary>
    [Theory]
    [InlineData("0501", "4701F803F8030108" + "221000" + "7900")]
    [InlineData("0B00", "4701700070000102" + "220001" + "7900")]
    public void Serial_port_and_clock_have_their_ports_and_interrupts(string product, string resources)
    {
        string dsdt = Convert.ToHexString(Find("DSDT"));

        // The identifier, PNP in its first half; up to the next device, the name of the resources and a buffer of 13 bytes.
        string device = dsdt.Split("41D0")[1..].Single(d => d.StartsWith(product, StringComparison.Ordinal));
        Assert.Contains("085F43525311100A0D" + resources, device, StringComparison.Ordinal);
    }

    [FactWithTool(Disassembler)]
    public void A_disassembler_reads_the_namespace()
    {
        string directory = Directory.CreateTempSubdirectory("acpi").FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(directory, "dsdt.aml"), Find("DSDT").ToArray());
            Run(directory, "-d dsdt.aml");
            string source = File.ReadAllText(Path.Combine(directory, "dsdt.dsl"));
            string compiled = Run(directory, "dsdt.dsl");

            Assert.Contains("Name (_S5, Package (0x04)", source, StringComparison.Ordinal);
            Assert.Contains("EisaId (\"PNP0501\")", source, StringComparison.Ordinal);
            Assert.Contains("EisaId (\"PNP0B00\")", source, StringComparison.Ordinal);
            Assert.Contains("0x03F8,", source, StringComparison.Ordinal);
            Assert.Contains("0 Errors", compiled, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static string Run(string directory, string arguments)
    {
        ProcessStartInfo start = new(Disassembler, arguments)
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output + errors.Result;
    }

    private ReadOnlySpan<byte> Find(string signature) => Find(_block, signature);

    private static ReadOnlySpan<byte> Find(byte[] block, string signature)
    {
        uint rsdt = Get32(block, 16);
        if (signature == "RSDT")
        {
            return TableAt(block, rsdt, signature);
        }

        if (signature == "XSDT")
        {
            return TableAt(block, (uint)BinaryPrimitives.ReadUInt64LittleEndian(block.AsSpan(24)), signature);
        }

        ReadOnlySpan<byte> root = TableAt(block, rsdt, "RSDT");
        uint fadt = Get32(root, 36);
        return signature switch
        {
            "FACP" => TableAt(block, fadt, signature),
            "DSDT" => TableAt(block, Get32(TableAt(block, fadt, "FACP"), 40), signature),
            _ => TableAt(block, Get32(root, 40), signature),
        };
    }

    private static ReadOnlySpan<byte> TableAt(byte[] block, uint address, string signature)
    {
        ReadOnlySpan<byte> table = block.AsSpan((int)(address - AcpiTables.BaseAddress));
        Assert.Equal(signature, Encoding.ASCII.GetString(table[..4]));
        return table[..(int)Get32(table, 4)];
    }

    private static uint Get32(ReadOnlySpan<byte> bytes, int offset) =>
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);

    private static int Sum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte value in bytes)
        {
            sum += value;
        }

        return sum;
    }
}
