using KprobeTrace.Queries;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Looks at every value of a result and keeps none.</summary>
internal sealed class CountingSink(CancellationTokenSource enough) : IRowSink
{
    private const int MostRows = 5000;
    private int _columns;
    private int _rows;

    public void Begin(IReadOnlyList<string> names) => _columns = names.Count;

    public void Row(QueryRow row)
    {
        for (int i = 0; i < _columns; i++)
        {
            _ = row.GetKind(i) switch
            {
                QueryValueKind.WholeNumber => row.GetInteger(i),
                QueryValueKind.Real => (long)row.GetReal(i),
                QueryValueKind.Text => row.GetText(i).Length + row.GetUtf8(i).Length,
                QueryValueKind.Blob => row.GetBlob(i).Length,
                _ => 0,
            };
        }

        if (++_rows > MostRows)
        {
            enough.Cancel();
        }
    }

    public void Finish()
    {
    }
}
