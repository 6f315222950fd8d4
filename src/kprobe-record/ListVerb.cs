using System.IO.Enumeration;
using KprobeTrace.Kprobes;
using KprobeTrace.Recording;
using KprobeTrace.Symbols;
using KprobeTrace.Tools;

namespace KprobeTrace.Record;

/// <summary>Prints what can be probed: address, symbol, size, module, and why not where it cannot.</summary>
internal static class ListVerb
{
    public static int Run(RecordingOptions options, string glob)
    {
        using GuestSession session = GuestSession.Open(options, _ => { });
        using StreamWriter output = StandardOutput.Writer();
        int matches = 0;
        foreach (Symbol symbol in session.Symbols.All())
        {
            if (!symbol.IsText || !FileSystemName.MatchesSimpleExpression(glob, symbol.Name, ignoreCase: false))
            {
                continue;
            }

            if (matches++ == 0)
            {
                output.WriteLine($"{"address",-16}  symbol  size  module");
            }

            KprobeResult result = session.Kprobes.CanProbe(symbol.Address);
            string module = symbol.Module.Length == 0 ? "-" : symbol.Module;
            output.Write($"{symbol.Address:x16}  {symbol.Name}  {symbol.Size}  {module}");
            output.WriteLine(result.IsSuccess ? "" : $"  refused: {result.Reason}");
        }

        if (matches == 0)
        {
            throw new KprobeTraceException(!SymbolNotice.HasFunctions(session)
                ? $"no symbols were found in {session.Image.BaseName}; {SymbolNotice.Remedy}"
                : $"no function of {session.Image.BaseName} matches '{glob}'");
        }

        return (int)ExitCode.Success;
    }
}
