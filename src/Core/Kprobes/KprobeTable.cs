using System.Diagnostics.CodeAnalysis;

namespace KprobeTrace.Kprobes;

/// <summary>The registered addresses in the kernel's 64 hash buckets, which give the probe list its order.</summary>
internal sealed class KprobeTable
{
    /// <summary>The number of buckets.</summary>
    public const int BucketCount = 64;

    private const ulong GoldenRatio = 0x61C8_8646_80B5_83EB;
    private readonly KprobeEntry?[] _buckets = new KprobeEntry?[BucketCount];
    private readonly Dictionary<ulong, KprobeEntry> _byAddress = [];
    private readonly Dictionary<ulong, List<KprobeEntry>> _byFunction = [];

    /// <summary>The number of addresses in the table.</summary>
    public int Count => _byAddress.Count;

    /// <summary>The bucket of an address: the top six bits of its product with the golden ratio.</summary>
    public static int BucketOf(ulong address) => (int)(unchecked(address * GoldenRatio) >> 58);

    internal bool TryFind(ulong address, [NotNullWhen(true)] out KprobeEntry? entry) =>
        _byAddress.TryGetValue(address, out entry);

    /// <summary>The entries inside the function that starts at an address; null when there are none.</summary>
    internal List<KprobeEntry>? InFunction(ulong start) => _byFunction.GetValueOrDefault(start);

    /// <summary>Says which function holds an entry, whether or not it is in the table.</summary>
    internal void SetFunction(KprobeEntry entry, ulong start)
    {
        bool filed = _byAddress.TryGetValue(entry.Address, out KprobeEntry? known) && known == entry;
        if (filed)
        {
            Unfile(entry);
        }

        entry.FunctionStart = start;
        if (filed)
        {
            File(entry);
        }
    }

    /// <summary>Adds an entry at the head of its bucket.</summary>
    internal void Add(KprobeEntry entry)
    {
        _byAddress.Add(entry.Address, entry);
        File(entry);
        ref KprobeEntry? head = ref _buckets[BucketOf(entry.Address)];
        entry.NextInBucket = head;
        entry.PreviousInBucket = null;
        if (head is not null)
        {
            head.PreviousInBucket = entry;
        }

        head = entry;
    }

    internal void Remove(KprobeEntry entry)
    {
        if (!_byAddress.Remove(entry.Address))
        {
            return;
        }

        Unfile(entry);
        if (entry.PreviousInBucket is not null)
        {
            entry.PreviousInBucket.NextInBucket = entry.NextInBucket;
        }
        else
        {
            _buckets[BucketOf(entry.Address)] = entry.NextInBucket;
        }

        if (entry.NextInBucket is not null)
        {
            entry.NextInBucket.PreviousInBucket = entry.PreviousInBucket;
        }
    }

    /// <summary>The entries, bucket 0 to 63 and the newest of each first, as they are now.</summary>
    internal List<KprobeEntry> Snapshot()
    {
        List<KprobeEntry> entries = new(_byAddress.Count);
        foreach (KprobeEntry? head in _buckets)
        {
            for (KprobeEntry? entry = head; entry is not null; entry = entry.NextInBucket)
            {
                entries.Add(entry);
            }
        }

        return entries;
    }

    private void File(KprobeEntry entry)
    {
        if (!_byFunction.TryGetValue(entry.FunctionStart, out List<KprobeEntry>? siblings))
        {
            siblings = [];
            _byFunction.Add(entry.FunctionStart, siblings);
        }

        siblings.Add(entry);
    }

    private void Unfile(KprobeEntry entry)
    {
        List<KprobeEntry> siblings = _byFunction[entry.FunctionStart];
        siblings.Remove(entry);
        if (siblings.Count == 0)
        {
            _byFunction.Remove(entry.FunctionStart);
        }
    }
}
