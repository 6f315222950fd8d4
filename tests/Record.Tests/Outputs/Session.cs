using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace KprobeTrace.Tests.Record.Outputs;

/// <summary>Commands of both tools in one folder, one after the other.</summary>
internal sealed class Session : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Dictionary<string, string> _files = [];

    /// <summary>
    /// Runs <c>record …</c> or <c>report …</c>; words may stand in single quotes, <c>@FILE</c> is a file of guests/stock. Returns the hash of
    /// the exit status, of standard output, and of the name and the bytes of each file that was made, changed or removed. Histories are left
    /// out, which name the folder of their trace: what they hold is asked for by commands.
    /// </summary>
    public string Run(string command)
    {
        string[] words = [.. Words(command).Select(word => word.StartsWith('@') ? StockGuest.PathOf(word[1..]) : word)];
        using ToolRun run = words[0] == "record" ? ToolRun.Record(_folder.Name, words[1..]) : ToolRun.Report(_folder.Name, words[1..]);
        StringBuilder seen = new();
        seen.Append(CultureInfo.InvariantCulture, $"{run.Exit}\n{run.Output}\n");
        foreach (string change in Changes())
        {
            seen.AppendLine(change);
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(seen.ToString())))[..16];
    }

    public void Dispose() => _folder.Dispose();

    private IEnumerable<string> Changes()
    {
        string[] there = [.. Directory.EnumerateFiles(_folder.Name, "*", SearchOption.AllDirectories).Where(path => !path.EndsWith(".db", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        foreach (string path in there)
        {
            using FileStream file = File.OpenRead(path);
            string name = Path.GetRelativePath(_folder.Name, path);
            string hash = Convert.ToHexStringLower(SHA256.HashData(file));
            if (_files.GetValueOrDefault(name) != hash)
            {
                _files[name] = hash;
                yield return $"{name} {hash}";
            }
        }

        foreach (string gone in _files.Keys.Except(there.Select(path => Path.GetRelativePath(_folder.Name, path))).ToList())
        {
            _files.Remove(gone);
            yield return $"{gone} gone";
        }
    }

    private static IEnumerable<string> Words(string command)
    {
        StringBuilder word = new();
        bool quoted = false;
        foreach (char c in command.Append(' '))
        {
            if (c == '\'')
            {
                quoted = !quoted;
            }
            else if (c != ' ' || quoted)
            {
                word.Append(c);
            }
            else
            {
                yield return word.ToString();
                word.Clear();
            }
        }
    }
}
