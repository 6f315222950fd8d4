namespace KprobeTrace.Store;

/// <summary>Quotes names and values for SQL, so that nothing in a trace can break out of them.</summary>
internal static class SqlText
{
    /// <summary>A name in double quotes.</summary>
    public static string Identifier(string name) =>
        "\"" + name.Replace("\0", "", StringComparison.Ordinal).Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    /// <summary>A text in single quotes.</summary>
    public static string Literal(string text)
    {
        if (!text.Contains('\0'))
        {
            return "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";
        }

        // SQL text cannot hold NUL; the value can, spelled in hexadecimal.
        return "CAST(x'" + Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes(text)) + "' AS TEXT)";
    }
}
