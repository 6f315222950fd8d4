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
        string[] events = ["a_very_long_event_name_that_somebody_really_chose_for_this_one", "its_return", "open"];
        string trace = _folder.Trace($"""
            image vmlinuz-6.1.0-56-rt-amd64-of_a_distribution_with_long_names
            p:{events[0]} kernel_clone
            r:{events[1]} kernel_clone
            p:{events[2]} do_sys_openat2 name=+0(%si):ustring
            p:silent never_called
            console 50 "Linux version 6.1.0"
            100 {events[0]} init-1
            250 {events[1]} init-1 caller=ksys_caller+0x10
            300 open sh-42 name="a,\"b\"\n<script>'x'"
            600 {events[0]} "e\"v,i'l\n"-42
            601 {events[0]} fault sh-42 cr2=0x7fff0000
            650 {events[0]} post sh-42
            {string.Join('\n', Enumerable.Range(0, 12).Select(i => $"{2_000_000_000L + (i * 77_000_000L)} {events[i % 3]} kworker/u16:{i}-ev-{100 + i}"))}
            """);

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
        _ = Tool.Good("add", _folder["two.db"], _folder.Trace("p:f f\nr:f_ret f\n10 f\n90 f_ret", "a.mpk"), _folder.Trace("p:g g\n10 g sh-2\n10 g sh-3", "b.mpk"));

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
