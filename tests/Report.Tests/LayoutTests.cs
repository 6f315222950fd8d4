using System.Net;
using System.Text.RegularExpressions;
using KprobeTrace.Bench;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>The HTML page as a browser lays it out: nothing overlaps, nothing is wider than the screen, no name is torn.</summary>
public sealed class LayoutTests : IDisposable
{
    private static readonly int[] _widths = [390, 768, 1280, 2560];

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [ProgramFact("chromium")]
    public void The_page_of_long_names_fits_phones_and_wide_screens()
    {
        string trace = _folder.Small(
            "long.mpk",
            static entries =>
            {
                for (int i = 0; i < 12; i++)
                {
                    entries.Add(new(Tracing.TraceEventKind.Pre, i % 3, (ulong)(2_000_000_000L + (i * 77_000_000L)), 100 + i, $"kworker/u16:{i}-ev"));
                }
            },
            probe: "a_very_long_event_name_that_somebody_really_chose_for_this_one",
            image: "vmlinuz-6.1.0-56-rt-amd64-of_a_distribution_with_long_names");

        AssertFits(trace);
    }

    [ProgramFact("chromium")]
    public void The_page_of_a_large_trace_fits_phones_and_wide_screens()
    {
        SyntheticTrace.Write(_folder["large.mpk"], 20_000);

        AssertFits(_folder["large.mpk"]);
    }

    [ProgramFact("chromium")]
    public void The_list_of_runs_fits_phones_and_wide_screens()
    {
        _ = Tool.Good("add", _folder["two.db"], _folder.Small("a.mpk"), _folder.Small("b.mpk", static e => e.RemoveAt(8)));

        AssertFits(_folder["two.db"]);
    }

    private void AssertFits(string source)
    {
        _ = Tool.Good("html", source, "-o", _folder["page.html"]);
        string page = File.ReadAllText(_folder["page.html"]);
        string script = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "page-layout.js"));
        File.WriteAllText(_folder["measured.html"], page.Replace("</body>", $"<script>{script}</script></body>", StringComparison.Ordinal));
        // A window of chromium has at least 500 pixels, a frame any width.
        File.WriteAllText(_folder["frames.html"], $"""
            <!DOCTYPE html><body style="margin: 0"><pre id="layout"></pre>
            <script>addEventListener('message', e => document.getElementById('layout').textContent += e.data + '\n');</script>
            {string.Join('\n', _widths.Select(static width => $"<iframe src=\"measured.html\" style=\"border: 0; width: {width}px; height: 1000px\"></iframe>"))}
            </body>
            """);
        string dom = ProgramFactAttribute.Run(
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            "--user-data-dir=" + _folder["profile"], "--window-size=2600,4100", "--virtual-time-budget=10000",
            "--dump-dom", "file://" + _folder["frames.html"]);
        string[] report = WebUtility.HtmlDecode(Regex.Match(dom, "<pre id=\"layout\">(.*?)</pre>", RegexOptions.Singleline).Groups[1].Value).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        // A line a width, which tells what it measured, and none about a fault.
        Assert.Equal(_widths.Length, report.Length);
        Assert.All(_widths, width => Assert.Contains(report, line => line.StartsWith($"width {width}, ", StringComparison.Ordinal)));
    }
}
