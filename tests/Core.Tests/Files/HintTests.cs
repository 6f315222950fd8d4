using System.Diagnostics;
using System.Text.RegularExpressions;
using KprobeTrace.Files;
using KprobeTrace.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Files;

/// <summary>The commands that refusals hint at work as they stand, whatever the file is called.</summary>
public sealed partial class HintTests
{
    private const string Awkward = "it's a $file; of \"mine\"";

    public static TheoryData<string> Files() => [.. HostFiles.Rows.Select(static row => row.Commands)];

    [HostFileTheory]
    [MemberData(nameof(Files))]
    public void A_hinted_command_runs_and_makes_something(string commands)
    {
        string folder = Directory.CreateTempSubdirectory("hint ").FullName;
        try
        {
            string path = Path.Combine(folder, Awkward);
            File.WriteAllBytes(path, HostFiles.Make(commands));
            string message = Record.Exception(() => ImageLoader.Load(path, new ImageLoadOptions()))?.Message ?? "";
            Match hint = Hint().Match(message);
            bool empty = message.Contains("vmlinuz", StringComparison.Ordinal) && !commands.Contains("vmlinuz", StringComparison.Ordinal);
            if (!hint.Success || empty || !HostFiles.IsInstalled(hint.Groups["command"].Value.Split(' ')[0]))
            {
                return;
            }

            string command = hint.Groups["command"].Value.Split("; the initrd")[0];
            string output = Run(folder, command);

            Assert.StartsWith(path + ": it is ", message, StringComparison.Ordinal);
            string[] made = [.. Directory.EnumerateFileSystemEntries(folder).Where(entry => entry != path)];
            Assert.True(made.Length > 0, $"{command} made nothing: {output}");
            Assert.All(made.Where(File.Exists), file => Assert.True(new FileInfo(file).Length > 0, $"{command} made an empty file: {output}"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("boot/vmlinuz-6.1.gz", "boot/vmlinuz-6.1.gz")]
    [InlineData("a b", "'a b'")]
    [InlineData("it's", @"'it'\''s'")]
    [InlineData("-rf", "./-rf")]
    [InlineData("$(reboot)", "'$(reboot)'")]
    [InlineData("grün", "'grün'")]
    [InlineData("two\nlines", @"$'two\u000alines'")]
    [InlineData("a'b\\c\td", @"$'a\'b\\c\u0009d'")]
    public void A_path_is_a_word_of_the_shell(string path, string word)
    {
        Assert.Equal(word, ShellWord.Of(path));
        if (HostFiles.IsInstalled("bash"))
        {
            Assert.Equal(path.StartsWith('-') ? "./" + path : path, Run(Path.GetTempPath(), "printf %s " + word));
        }
    }

    private static string Run(string folder, string command)
    {
        ProcessStartInfo start = new("bash") { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("PATH=$PATH:/usr/sbin:/sbin LC_ALL=C.UTF-8; " + command);
        using Process shell = Process.Start(start)!;
        Task<string> error = shell.StandardError.ReadToEndAsync();
        string output = shell.StandardOutput.ReadToEnd();
        shell.WaitForExit();
        Assert.True(shell.ExitCode == 0, $"{command}: status {shell.ExitCode}: {error.Result}");
        return output + error.Result;
    }

    [GeneratedRegex(@"(unpack it: |unpack it \(|take the kernel out of it \()(?<command>.+?)(\) and |\)$|$)")]
    private static partial Regex Hint();
}
