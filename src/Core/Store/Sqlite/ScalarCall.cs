namespace KprobeTrace.Store.Sqlite;

/// <summary>Returns to <paramref name="context"/> the value of a function for some arguments, SQLite's pointers to values.</summary>
internal delegate void ScalarCall(FunctionContext context, ReadOnlySpan<nint> values);
