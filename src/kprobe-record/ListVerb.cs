using System.Globalization;
using System.IO.Enumeration;
using KprobeTrace.Kprobes;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Symbols;

namespace KprobeTrace.Record;

/// <summary>Prints what can be probed: address, symbol, size, module, and why not where it cannot.</summary>
internal static class ListVerb
{
    /// <summary>Longer names stand out of their column: one of megabytes would be repeated as blanks in every line.</summary>
    private const int WidestColumn = 64;

    public static int Run(RecordingOptions options, string glob, RecordConsole console)
    {
        using GuestSession session = GuestSession.Open(options, _ => { });
        using StreamWriter output = console.Results();
        List<Symbol> matches = [.. session.Symbols.All().Where(s => s.IsText && FileSystemName.MatchesSimpleExpression(glob, s.Name, ignoreCase: false))];
        if (matches.Count == 0)
        {
            throw new KprobeTraceException(!SymbolNotice.HasFunctions(session)
                ? $"no symbols were found in {session.Image.BaseName}; {SymbolNotice.Remedy}"
                : $"no function of {session.Image.BaseName} matches '{glob}'");
        }

        int name = Width("symbol", matches.Select(static s => s.Name));
        int size = Width("size", matches.Select(static s => SizeOf(s)));
        int module = Width("module", matches.Select(static s => ModuleOf(s)));
        output.WriteLine($"{"address",-16}  {"symbol".PadRight(name)}  {"size".PadLeft(size)}  module");
        foreach (Symbol symbol in matches)
        {
            KprobeResult result = session.Kprobes.CanProbe(symbol.Address);
            string where = result.IsSuccess ? ModuleOf(symbol) : $"{ModuleOf(symbol).PadRight(module)}  refused: {result.Reason}";
            output.WriteLine($"{symbol.Address:x16}  {symbol.Name.PadRight(name)}  {SizeOf(symbol).PadLeft(size)}  {where}");
        }

        return (int)ExitCode.Success;
    }

    private static int Width(string header, IEnumerable<string> texts) =>
        Math.Clamp(texts.Max(static t => t.Length), header.Length, WidestColumn);

    private static string SizeOf(in Symbol symbol) => symbol.Size.ToString(CultureInfo.InvariantCulture);

    private static string ModuleOf(in Symbol symbol) => symbol.Module.Length == 0 ? "-" : symbol.Module;
}
