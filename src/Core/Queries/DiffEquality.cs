namespace KprobeTrace.Queries;

/// <summary>What of two events that correspond is equal.</summary>
[Flags]
internal enum DiffEquality : byte
{
    /// <summary>Nothing besides what they are.</summary>
    None = 0,

    /// <summary>Arguments, and of one image the caller.</summary>
    Content = 1,

    /// <summary>Virtual time.</summary>
    Time = 2,
}
