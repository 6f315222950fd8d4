using System.Runtime.InteropServices;

namespace KprobeTrace.Queries;

/// <summary>The values of one percentile aggregate, exact however many there are.</summary>
/// <remarks>
/// Values stay in memory until the budget is used up; then they are sorted and go to a temporary file as one run, and
/// the end reads the runs side by side up to the rank that is wanted. Integers are kept as integers: a double holds only
/// 53 bits of an address. Once a value is none, all are compared as doubles.
/// </remarks>
internal sealed class PercentileState : IDisposable
{
    /// <summary>Values that stay in memory even where the budget is used up.</summary>
    internal const int LeastValues = 1 << 12;

    private const int MostValues = 1 << 21;
    private const int MergeBytes = 8 << 20;

    private readonly PercentileBudget _budget;
    private readonly List<(long Offset, long Count, bool Integers)> _runs = [];
    private long[] _values = [];
    private long _taken;
    private int _used;
    private FileStream? _spill;

    internal PercentileState(double percent, PercentileBudget budget)
    {
        Percent = percent;
        _budget = budget;
    }

    internal double Percent { get; }

    /// <summary>True while every value was an integer.</summary>
    internal bool Integers { get; private set; } = true;

    /// <summary>Values so far.</summary>
    internal long Count { get; private set; }

    /// <summary>True where values had to go to a temporary file.</summary>
    internal bool IsSpilled => _spill is not null;

    /// <summary>Index of the percentile among <paramref name="count"/> sorted values, by nearest rank.</summary>
    internal static long Rank(long count, double percent) =>
        Math.Clamp((long)Math.Ceiling(percent / 100 * count) - 1, 0, count - 1);

    internal void Add(long value) => Put(Integers ? value : BitConverter.DoubleToInt64Bits(value));

    internal void Add(double value)
    {
        if (Integers)
        {
            Integers = false;
            foreach (ref long known in _values.AsSpan(0, _used))
            {
                known = BitConverter.DoubleToInt64Bits(known);
            }
        }

        Put(BitConverter.DoubleToInt64Bits(value));
    }

    /// <summary>The percentile where all values are integers.</summary>
    internal long Integer() => Find();

    /// <summary>The percentile where some value is none.</summary>
    internal double Real() => BitConverter.Int64BitsToDouble(Find());

    /// <inheritdoc/>
    public void Dispose()
    {
        _budget.Return(_taken);
        _taken = 0;
        _values = [];
        _spill?.Dispose();
        _spill = null;
    }

    private void Put(long bits)
    {
        if (_used == _values.Length && !Grow())
        {
            Spill();
        }

        _values[_used++] = bits;
        Count++;
    }

    private bool Grow()
    {
        int size = Math.Max(64, _values.Length * 2);
        if (size > MostValues)
        {
            return false;
        }

        long more = sizeof(long) * (long)(size - _values.Length);
        if (_budget.TryTake(more))
        {
            _taken += more;
        }
        else if (size > LeastValues)
        {
            return false;
        }

        Array.Resize(ref _values, size);
        return true;
    }

    private void Spill()
    {
        Sort();
        _spill ??= CreateSpill();
        _runs.Add((_spill.Length, _used, Integers));
        _spill.Position = _spill.Length;
        _spill.Write(MemoryMarshal.AsBytes(_values.AsSpan(0, _used)));
        _used = 0;
    }

    /// <summary>The folder is everybody's, the values are not.</summary>
    private static FileStream CreateSpill()
    {
        FileStreamOptions options = new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = 0,
            Options = FileOptions.DeleteOnClose,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(Path.Combine(Path.GetTempPath(), "kprobe-report-" + Path.GetRandomFileName()), options);
    }

    private void Sort()
    {
        if (Integers)
        {
            _values.AsSpan(0, _used).Sort();
        }
        else
        {
            MemoryMarshal.Cast<long, double>(_values.AsSpan(0, _used)).Sort();
        }
    }

    /// <summary>The value of the rank wanted, as it is kept.</summary>
    private long Find()
    {
        Sort();
        long rank = Rank(Count, Percent);
        if (_spill is null)
        {
            return _values[rank];
        }

        if (_used > 0)
        {
            Spill();
        }

        return Merge(rank);
    }

    /// <summary>Reads the runs side by side, smallest value first.</summary>
    private long Merge(long rank)
    {
        int buffer = Math.Clamp(MergeBytes / _runs.Count / sizeof(long), 16, 1 << 13);
        PriorityQueue<SortedRun, (double, long)> queue = new();
        foreach ((long offset, long count, bool integers) in _runs)
        {
            Enqueue(new SortedRun(_spill!, offset, count, buffer, isConverted: integers && !Integers));
        }

        while (true)
        {
            SortedRun run = queue.Dequeue();
            long value = run.Current;
            if (rank-- == 0)
            {
                return value;
            }

            Enqueue(run);
        }

        void Enqueue(SortedRun run)
        {
            if (run.Next())
            {
                queue.Enqueue(run, Integers ? (0, run.Current) : (BitConverter.Int64BitsToDouble(run.Current), 0));
            }
        }
    }
}
