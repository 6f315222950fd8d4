namespace KprobeTrace.Queries;

/// <summary>Takes the rows of a query one by one.</summary>
public interface IRowSink
{
    /// <summary>Called once, before any row.</summary>
    public void Begin(IReadOnlyList<string> columns);

    /// <summary>Called for each row.</summary>
    public void Row(QueryRow row);

    /// <summary>Called once, after the last row.</summary>
    public void Finish();
}
