using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>
/// Walks both runs at once over what is decided. A divergence is a stretch of events without a partner on either side, or a
/// pair whose arguments or callers differ.
/// </summary>
internal sealed class DiffWalk : IDisposable
{
    private readonly DiffSide _a;
    private readonly DiffSide _b;
    private readonly DiffOptions _options;
    private readonly bool _sameImage;
    private readonly string[] _registers;
    private readonly SqliteStatement? _rowA;
    private readonly SqliteStatement? _rowB;
    private readonly List<DiffDivergence> _list = [];
    private bool _hasRegisters;
    private long? _aloneFromA;
    private long? _aloneFromB;
    private long _aloneA;
    private long _aloneB;

    internal DiffWalk(DiffSide a, DiffSide b, DiffOptions options, bool sameImage)
    {
        _a = a;
        _b = b;
        _options = options;
        _sameImage = sameImage;
        _registers = [.. TraceRegisters.Names.ToArray().Where(r => !options.Ignores(r))];
        if (sameImage && _registers.Length > 0)
        {
            string sql = $"SELECT seq, {string.Join(", ", _registers)} FROM kt_reg g JOIN kt_kept k ON k.kept = g.kept WHERE run = ?1 ORDER BY seq";
            _rowA = a.History.Database.Prepare(sql).Bind(1, a.Run);
            _rowB = b.History.Database.Prepare(sql).Bind(1, b.Run);
            _hasRegisters = _rowA.Step() && _rowB.Step();
        }
    }

    /// <summary>Where the runs part, in order; as many as are wanted.</summary>
    internal IReadOnlyList<DiffDivergence> Divergences => _list;

    /// <summary>How many divergences there are, listed or not.</summary>
    internal long Count { get; private set; }

    /// <summary>The first pair whose virtual times differ (runs of one image only), or null.</summary>
    internal (long SeqA, long SeqB, long TimeA, long TimeB)? FirstTimeDifference { get; private set; }

    /// <summary>The first pair whose registers differ (runs of one image only), or null.</summary>
    internal (long SeqA, long SeqB, IReadOnlyList<DiffRegister> Registers)? FirstRegisterDifference { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rowA?.Dispose();
        _rowB?.Dispose();
    }

    /// <summary>Goes as far as both sides are decided and takes that off their windows.</summary>
    internal void Advance()
    {
        DiffWindow a = _a.Window;
        DiffWindow b = _b.Window;
        int atA = 0;
        int atB = 0;
        while (true)
        {
            SkipAlone(a, ref atA, ref _aloneFromA, ref _aloneA);
            SkipAlone(b, ref atB, ref _aloneFromB, ref _aloneB);
            bool hasA = atA < a.Count;
            bool hasB = atB < b.Count;
            if ((hasA ? a.Partner[atA] == DiffWindow.Undecided : !_a.Ended)
                || (hasB ? b.Partner[atB] == DiffWindow.Undecided : !_b.Ended))
            {
                break;
            }

            long? seqA = hasA ? a.Seqs[atA] : null;
            long? seqB = hasB ? b.Seqs[atB] : null;
            EndStretch(seqA, seqB);
            if (!hasA && !hasB)
            {
                break;
            }

            if (hasA)
            {
                ComparePair(seqA!.Value, a.Partner[atA], a.Equal[atA]);

                // Tasks may take turns differently: the partner need not be the next one on its side.
                atA++;
            }

            atB += hasB ? 1 : 0;
        }

        a.Drop(atA);
        b.Drop(atB);
    }

    /// <summary>The registers in which two events differ.</summary>
    internal List<DiffRegister> Registers(long seqA, long seqB)
    {
        ulong[]? a = Read(_a, seqA);
        ulong[]? b = Read(_b, seqB);
        List<DiffRegister> list = [];
        for (int i = 0; a is not null && b is not null && i < a.Length; i++)
        {
            if (a[i] != b[i])
            {
                list.Add(new DiffRegister(_registers[i], a[i], b[i]));
            }
        }

        return list;

        ulong[]? Read(DiffSide side, long seq)
        {
            if (_registers.Length == 0)
            {
                return null;
            }

            using SqliteStatement statement = side.History.Database.Prepare(
                $"SELECT {string.Join(", ", _registers)} FROM regs WHERE run = ?1 AND seq = ?2");
            return statement.Bind(1, side.Run).Bind(2, seq).Step()
                ? [.. Enumerable.Range(0, _registers.Length).Select(statement.UInt64)]
                : null;
        }
    }

    private static void SkipAlone(DiffWindow window, ref int at, ref long? from, ref long count)
    {
        for (; at < window.Count && window.Partner[at] == DiffWindow.Alone; at++)
        {
            from ??= window.Seqs[at];
            count++;
        }
    }

    /// <summary>Ends a stretch of events without partners before the next pair.</summary>
    private void EndStretch(long? nextA, long? nextB)
    {
        if (_aloneA + _aloneB > 0)
        {
            long? seqA = _aloneFromA ?? nextA;
            long? seqB = _aloneFromB ?? nextB;
            if (Count++ < _options.Limit)
            {
                _list.Add(new DiffDivergence(
                    "events", _aloneA, _aloneB, seqA, seqB, [], null,
                    seqA is { } a && seqB is { } b ? Registers(a, b) : []));
            }
        }

        (_aloneA, _aloneB, _aloneFromA, _aloneFromB) = (0, 0, null, null);
    }

    private void ComparePair(long seqA, long seqB, DiffEquality equal)
    {
        if ((equal & DiffEquality.Content) == 0 && Count++ < _options.Limit)
        {
            List<DiffArgument> arguments = Arguments(seqA, seqB);
            _list.Add(new DiffDivergence(
                arguments.Count > 0 ? "arguments" : "caller", 1, 1, seqA, seqB, arguments, Callers(seqA, seqB), Registers(seqA, seqB)));
        }

        if (!_sameImage)
        {
            return;
        }

        if ((equal & DiffEquality.Time) == 0 && FirstTimeDifference is null)
        {
            FirstTimeDifference = (seqA, seqB, TimeOf(_a, seqA), TimeOf(_b, seqB));
        }

        if (_hasRegisters && FirstRegisterDifference is null)
        {
            CompareRegisters(seqA, seqB);
        }
    }

    /// <summary>Reads the registers of both runs side by side until the first pair in which they differ.</summary>
    private void CompareRegisters(long seqA, long seqB)
    {
        // Where tasks take turns differently a partner may lie behind one that was read already.
        if (_rowB!.Int64(0) > seqB || !Reach(_rowA!, seqA) || !Reach(_rowB, seqB))
        {
            return;
        }

        for (int column = 1; column <= _registers.Length; column++)
        {
            if (_rowA!.Int64(column) != _rowB.Int64(column))
            {
                FirstRegisterDifference = (seqA, seqB, Registers(seqA, seqB));
                return;
            }
        }

        bool Reach(SqliteStatement row, long seq)
        {
            while (_hasRegisters && row.Int64(0) < seq)
            {
                _hasRegisters = row.Step();
            }

            return _hasRegisters && row.Int64(0) == seq;
        }
    }

    private List<DiffArgument> Arguments(long seqA, long seqB)
    {
        (long probe, byte[] a) = Read(_a, seqA);
        (_, byte[] b) = Read(_b, seqB);
        using ProbeArguments arguments = new(_a.History.Database);
        List<TraceArgument> known = arguments.Of(_a.Run, probe);
        return DiffContent.Differences(a, b, _sameImage, KindOf, _a.IgnoredOf(probe));

        ArgumentKind KindOf(string name) => known.Find(k => k.Name == name)?.Kind ?? ArgumentKind.Parse("");

        static (long Probe, byte[] Arguments) Read(DiffSide side, long seq)
        {
            using SqliteStatement statement = side.History.Database.Prepare(
                "SELECT probe, args FROM kt_event WHERE run = ?1 AND seq = ?2");
            return statement.Bind(1, side.Run).Bind(2, seq).Step() ? (statement.Int64(0), statement.Utf8(1).ToArray()) : (0, []);
        }
    }

    private (string A, string B)? Callers(long seqA, long seqB)
    {
        string a = Read(_a, seqA);
        string b = Read(_b, seqB);
        return _sameImage && a != b ? (a, b) : null;

        static string Read(DiffSide side, long seq)
        {
            using SqliteStatement statement = side.History.Database.Prepare(
                "SELECT caller FROM events WHERE run = ?1 AND seq = ?2");
            return statement.Bind(1, side.Run).Bind(2, seq).Step() ? statement.Text(0) : "";
        }
    }

    private static long TimeOf(DiffSide side, long seq)
    {
        using SqliteStatement statement = side.History.Database.Prepare("SELECT time_ns FROM kt_event WHERE run = ?1 AND seq = ?2");
        return statement.Bind(1, side.Run).Bind(2, seq).Step() ? statement.Int64(0) : 0;
    }
}
