using System.Buffers.Binary;
using System.IO.Hashing;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Kprobes;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Session;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Saved states of the demo kernel, damaged; most get a checksum that is right again. What is taken runs a little and is saved again.</summary>
internal sealed class StateTarget : IFuzzTarget
{
    private static readonly GuestOptions _options = new()
    {
        Image = "demo.elf",
        ImageBytes = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "demo.elf")),
        Load = new ImageLoadOptions { MemorySize = 16 << 20 },
    };

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(1.5);

    private readonly Lazy<byte[][]> _whole = new(static () => [.. ((long[])[0, 1_000, 400_000, 2_000_000, 5_000_000]).Select(Save)]);

    public string Name => "state";

    public string Summary => "damaged and made-up states of the demo kernel, loaded, run for 2,000 instructions and saved again";

    public byte[] Generate(FuzzRandom random)
    {
        byte[] state = random.Pick<byte[]>(_whole.Value);

        // Memory is most of it; what stands before decides more.
        int parts = state.AsSpan().IndexOf("ram\0"u8);
        byte[] changed = random.OneIn(5)
            ? Mutator.Mutate(random, state)
            : [.. state[..StateFormat.HeaderSize], .. Fields(random, state[StateFormat.HeaderSize..parts]), .. state[parts..]];
        const int end = sizeof(ulong) + StateFormat.RecordHeadSize;
        if (changed.Length > end && !random.OneIn(8))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(changed.AsSpan(changed.Length - sizeof(ulong)), XxHash3.HashToUInt64(changed.AsSpan(0, changed.Length - end)));
        }

        return changed;
    }

    public void Run(byte[] input)
    {
        using GuestSession session = GuestSession.Open(_options, static _ => { });
        GuestMachine machine = session.Machine;
        _ = StateRecordReader.Find(new MemoryStream(input), SavedImage.RecordName);
        machine.Load(new MemoryStream(input), session.Knowledge());
        Probe(session);
        session.Kprobes.SettleSaved();
        long limit = machine.Retired + 2_000;
        using Timer patience = new(_ => machine.Stop(), null, _patience, Timeout.InfiniteTimeSpan);
        machine.Run(limit);
        InvariantException.Require(machine.Retired <= limit, "more instructions than were allowed");
        session.Save(Stream.Null);
    }

    /// <summary>Changes a few bytes or numbers and no length, so that what is behind them has its turn.</summary>
    private static byte[] Fields(FuzzRandom random, byte[] parts)
    {
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        for (int left = 1 << random.Next(5); left > 0; left--)
        {
            int at = random.Next(parts.Length - sizeof(ulong));
            BinaryPrimitives.WriteUInt64LittleEndian(word, random.Corner());
            word[..(1 << random.Next(4))].CopyTo(parts.AsSpan(at));
        }

        return parts;
    }

    /// <summary>Probes that go on as the saved ones: on functions that run often, one of which is entered while another waits for it.</summary>
    private static void Probe(GuestSession session)
    {
        foreach (string function in (string[])["do_sys_open", "do_page_fault", "printk"])
        {
            session.Kprobes.RegisterKprobe(new Kprobe { SymbolName = function, SavedAs = "p " + function });
            Kretprobe calls = new(isInternal: false, "r " + function);
            calls.Kp.SymbolName = function;
            session.Kprobes.RegisterKretprobe(calls);
        }
    }

    private static byte[] Save(long retired)
    {
        using GuestSession session = GuestSession.Open(_options, static _ => { });
        Probe(session);
        session.Machine.Run(retired);
        using MemoryStream stream = new();
        session.Save(stream);
        return stream.ToArray();
    }
}
