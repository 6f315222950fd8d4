namespace KprobeTrace.Tests.Guests;

/// <summary>Finds files of the source tree that the tests run from.</summary>
internal static class Repository
{
    /// <summary>The folder that holds KprobeTrace.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The full path of a file named relative to the root, with forward slashes.</summary>
    public static string PathOf(string relative) =>
        Path.Combine(Root, relative.Replace('/', Path.DirectorySeparatorChar));

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "KprobeTrace.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} holds KprobeTrace.sln.");
    }
}
