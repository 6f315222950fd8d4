using System.Diagnostics;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

/// <summary>
/// A test that reads a trace with Python's MessagePack and zstd packages. Where they are absent it is skipped with the
/// reason, or runs and fails when KPROBETRACE_REQUIRE_GUESTS is 1.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PythonReaderFactAttribute : FactAttribute
{
    private static readonly string[] _pythons = ["/usr/bin/python3", "python3"];

    public PythonReaderFactAttribute()
    {
        if (Environment.GetEnvironmentVariable("KPROBETRACE_REQUIRE_GUESTS") != "1" && FindPython() is null)
        {
            Skip = "no Python with msgpack and zstandard: install python3-msgpack and python3-zstandard.";
        }
    }

    /// <summary>A Python that has both packages: Debian's own before whatever else is first on the path.</summary>
    internal static string? FindPython() =>
        _pythons.FirstOrDefault(python => Run(python, "-c", "import msgpack, zstandard").Exit == 0);

    internal static (int Exit, string Output, string Error) Run(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error.Result);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return (-1, "", e.Message);
        }
    }
}
