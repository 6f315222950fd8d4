using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Tests.Loaders;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Image files: a byte of options, a byte of memory size, then the file; what loads is opened whole and runs a little.</summary>
internal sealed class LoaderTarget : IFuzzTarget
{
    private static readonly byte[] _demo = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "demo.elf"));
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(1.5);

    public string Name => "loader";

    public string Summary => "damaged bzImages of every compression, ELF and flat files, loaded and run for 2,000 instructions";

    public byte[] Generate(FuzzRandom random)
    {
        byte[] file = Whole(random);
        if (!random.OneIn(10))
        {
            // Headers decide most: half of the changes are made there.
            int head = Math.Min(file.Length, random.OneIn(2) ? 1200 : file.Length);
            file = [.. Mutator.Mutate(random, file.AsSpan(0, head)), .. file[head..]];
        }

        return [random.NextByte(), random.NextByte(), .. file];
    }

    public void Run(byte[] input)
    {
        if (input.Length < 3)
        {
            return;
        }

        byte how = input[0];
        bool flat = (how & 7) == 7;
        RecordingOptions options = new()
        {
            Image = "fuzz",
            ImageBytes = input.AsMemory(2),
            Load = new ImageLoadOptions
            {
                MemorySize = (ulong)(input[1] & 63) << (14 + ((how >> 3) & 7)),
                CommandLine = (how & 0x40) != 0 ? new string('x', input[1] * 20) : "quiet",
                Initrd = (how & 0x80) != 0 ? new byte[input[1] * 500] : default,
                ForceFlat = flat,
                LoadAddress = flat && (input[1] & 1) != 0 ? (ulong)input[1] << 12 : null,
                EntryAddress = flat && (input[1] & 4) != 0 ? ((ulong)input[1] << 12) + 3 : null,
                Mode = flat ? (input[1] >> 6) switch { 0 => EntryMode.Real16, 1 => EntryMode.Protected32, _ => EntryMode.Long64 } : null,
            },
        };
        using GuestSession session = GuestSession.Open(options, static _ => { });
        _ = session.Events.Apply("p:x startup_64", out _, out _);
        using Timer patience = new(_ => session.Machine.Stop(), null, _patience, Timeout.InfiniteTimeSpan);
        session.Machine.Run(2000);
        InvariantException.Require(session.Machine.Retired <= 2000, "more instructions than were allowed");
    }

    private static byte[] Whole(FuzzRandom random)
    {
        switch (random.Next(8))
        {
            case 0:
                return _demo;
            case 1:
                return CodeGenerator.Generate(random, random.Pick(16, 32, 64));
            case 2:
                return Elf(random);
            default:
                byte[] payload = Elf(random);
                if (random.OneIn(5))
                {
                    payload = Mutator.Mutate(random, payload);
                }

                byte[] packed = random.Next(5) switch
                {
                    0 => BzImageBuilder.Gzip(payload),
                    1 => BzImageBuilder.Zstd(payload),
                    2 => BzImageBuilder.Lz4(payload),
                    3 => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "branch.xz")),
                    _ => [.. random.Pick<byte[]>([0x1F, 0x8B, 8, 0], [0x5D, 0, 0, 0], "BZh9"u8.ToArray(), [0x89, 0x4C, 0x5A], [0xFD, 0x37, 0x7A, 0x58], []), .. random.Bytes(random.Next(400))],
                };
                return BzImageBuilder.Build(random.OneIn(4) ? Mutator.Mutate(random, packed) : packed);
        }
    }

    private static byte[] Elf(FuzzRandom random)
    {
        byte[] text = new byte[random.Next(64, 9000)];
        byte[] code = CodeGenerator.Generate(random, 64);
        code.AsSpan(0, Math.Min(code.Length, text.Length)).CopyTo(text);
        if (random.OneIn(2) && text.Length > 500)
        {
            Encoding.ASCII.GetBytes("Linux version 6.1.0-fuzz (x) #1").CopyTo(text.AsSpan(400));
        }

        ulong physical = random.OneIn(4) ? random.Corner() : 0x100_0000;
        byte[] symbols = new byte[48];
        BinaryPrimitives.WriteUInt32LittleEndian(symbols.AsSpan(24), 1);
        symbols[28] = 0x12;
        symbols[30] = 1;
        BinaryPrimitives.WriteUInt64LittleEndian(symbols.AsSpan(32), 0xFFFF_FFFF_8100_0000);
        return new ElfBuilder { Entry = random.OneIn(4) ? random.Corner() : physical, Type = (ushort)(random.OneIn(8) ? random.Next(6) : 2) }
            .Segment(0xFFFF_FFFF_8100_0000, physical, text, random.OneIn(6) ? random.Corner() : 0)
            .Section(".text", 1, [1], 0xFFFF_FFFF_8100_0000, 6)
            .Section(".symtab", 2, symbols, link: 3)
            .Section(".strtab", 3, "\0startup_64\0"u8.ToArray())
            .Build();
    }
}
