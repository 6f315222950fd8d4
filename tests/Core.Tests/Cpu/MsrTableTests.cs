using System.Globalization;
using KprobeTrace.Cpu;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>The table of model-specific registers in docs/machine.md, held against the machine.</summary>
public sealed unsafe class MsrTableTests : IDisposable
{
    private const string Heading = "## Model-specific registers";

    private static readonly (uint First, uint Last)[] _ranges =
    [
        (0, 0x1FFF), (0x40000000, 0x40000FFF), (0x4B564D00, 0x4B564DFF), (0xC0000000, 0xC0001FFF), (0xC0010000, 0xC0011FFF),
    ];

    private readonly GuestMachine _machine = MachineBuilder.Build(
        ImageLoader.Load("halt", new byte[] { 0xF4 }, new ImageLoadOptions { ForceFlat = true, MemorySize = 16 << 20, CommandLine = "" }), _ => { });

    public static TheoryData<string, string, string> Rows
    {
        get
        {
            TheoryData<string, string, string> rows = [];
            foreach (string[] row in ReadTable())
            {
                rows.Add(row[0], row[2], row[3]);
            }

            return rows;
        }
    }

    public void Dispose() => _machine.Dispose();

    [Theory]
    [MemberData(nameof(Rows))]
    public void Registers_read_and_take_writes_as_the_table_says(string numbers, string reads, string write)
    {
        foreach (uint msr in Numbers(numbers))
        {
            if (write == "own rule")
            {
                continue;
            }

            Assert.True(_machine.Processors.Bootstrap.TryReadMsr(null, msr, out ulong value), $"{msr:x} cannot be read");
            if (reads != "brand string")
            {
                Assert.Equal((msr, Hex(reads)), (msr, value));
            }

            AssertWrite(msr, value, write);
        }
    }

    [Fact]
    public void Registers_that_the_table_does_not_name_do_not_exist()
    {
        HashSet<uint> named = [.. ReadTable().SelectMany(row => Numbers(row[0]))];
        List<string> unnamed = [];
        foreach ((uint first, uint last) in _ranges)
        {
            for (uint msr = first; msr <= last; msr++)
            {
                if (!named.Contains(msr) && (_machine.Processors.Bootstrap.TryReadMsr(null, msr, out _) || _machine.Processors.Bootstrap.TryWriteMsr(null, msr, 0)))
                {
                    unnamed.Add(msr.ToString("x", CultureInfo.InvariantCulture));
                }
            }
        }

        Assert.Empty(unnamed);
        Assert.All(named, msr => Assert.Contains(_ranges, range => msr >= range.First && msr <= range.Last));
    }

    [Fact]
    public void Names_in_the_processor_name_registers_are_those_of_CPUID()
    {
        List<byte> fromCpuid = [];
        for (uint leaf = 0x80000002; leaf <= 0x80000004; leaf++)
        {
            CpuIdentity.Leaf part = CpuIdentity.Read(_machine.Processors.Bootstrap.State, leaf, 0, index: 0, count: 1);
            foreach (uint word in new[] { part.Eax, part.Ebx, part.Ecx, part.Edx })
            {
                fromCpuid.AddRange(BitConverter.GetBytes(word));
            }
        }

        List<byte> fromRegisters = [];
        for (uint msr = 0xC0010030; msr <= 0xC0010035; msr++)
        {
            Assert.True(_machine.Processors.Bootstrap.TryReadMsr(null, msr, out ulong value));
            fromRegisters.AddRange(BitConverter.GetBytes(value));
        }

        Assert.Equal(fromCpuid, fromRegisters);
    }

    [Fact]
    public void Reset_puts_back_what_firmware_left()
    {
        Assert.True(_machine.Processors.Bootstrap.TryWriteMsr(null, Msr.MtrrDefaultType, 0));

        _machine.Processors.Bootstrap.Reset();

        Assert.True(_machine.Processors.Bootstrap.TryReadMsr(null, Msr.MtrrDefaultType, out ulong value));
        Assert.Equal(0xC06UL, value);
    }

    private void AssertWrite(uint msr, ulong before, string write)
    {
        string[] words = write.Split(' ');
        ulong expected = words switch
        {
            ["#GP"] or ["ignored"] => before,
            ["kept"] => ulong.MaxValue,
            ["bits", string mask] => Hex(mask) | (before & ~Hex(mask)),
            ["bits", _, "else", "#GP"] or ["types,", "else", "#GP"] => before,
            _ => throw new FormatException($"{msr:x}: the table knows no write '{write}'"),
        };
        bool refused = write.Contains("#GP", StringComparison.Ordinal);

        Assert.Equal((msr, !refused), (msr, _machine.Processors.Bootstrap.TryWriteMsr(null, msr, ulong.MaxValue)));
        Assert.Equal((msr, expected), (msr, Read(msr)));
        if (write.Contains("else", StringComparison.Ordinal))
        {
            // A memory type and nothing else is right in each of them, 2 is no type.
            Assert.True(_machine.Processors.Bootstrap.TryWriteMsr(null, msr, 0));
            Assert.Equal((msr, 0UL), (msr, Read(msr)));
            Assert.False(_machine.Processors.Bootstrap.TryWriteMsr(null, msr, 2));
        }
    }

    private ulong Read(uint msr)
    {
        Assert.True(_machine.Processors.Bootstrap.TryReadMsr(null, msr, out ulong value));
        return value;
    }

    private static IEnumerable<uint> Numbers(string numbers)
    {
        foreach (string part in numbers.Split(", "))
        {
            string[] ends = part.Split(" – ");
            for (uint msr = (uint)Hex(ends[0]); msr <= (uint)Hex(ends[^1]); msr++)
            {
                yield return msr;
            }
        }
    }

    private static ulong Hex(string text) => ulong.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static IEnumerable<string[]> ReadTable() =>
        File.ReadLines(Repository.PathOf("docs/machine.md"))
            .SkipWhile(line => line != Heading)
            .Skip(1)
            .TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal))
            .Where(line => line.StartsWith("| 0x", StringComparison.Ordinal))
            .Select(line => line.Trim('|', ' ').Split(" | "));
}
