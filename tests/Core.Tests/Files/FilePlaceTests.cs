using System.Diagnostics;
using System.Globalization;
using System.IO.Pipes;
using System.Net.Sockets;
using KprobeTrace.Files;
using Xunit;

namespace KprobeTrace.Tests.Files;

/// <summary>Files that a user names: what is read, where results go, what is left behind beside them.</summary>
public sealed class FilePlaceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("place").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(3, 4, true)]
    [InlineData(4, 4, true)]
    [InlineData(5, 4, false)]
    [InlineData(0, 4, false)]
    [InlineData(1, 1, true)]
    [InlineData(1 << 20, 1 << 21, true)]
    [InlineData((1 << 20) + 1, 1 << 21, true)]
    public void A_file_is_read_whole_or_refused(int size, long most, bool isRead)
    {
        byte[] bytes = new byte[size];
        new Random(size).NextBytes(bytes);
        string path = Write("input", bytes);

        if (isRead)
        {
            Assert.Equal(bytes, InputFile.ReadAll(path, "image", most: most));
            return;
        }

        KprobeTraceException refused = Assert.Throws<KprobeTraceException>(() => InputFile.ReadAll(path, "image", most: most));
        Assert.StartsWith(path + (size == 0 ? ": the image is empty" : ": the image has more than the 4 bytes"), refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_file_is_read_where_it_may_be_empty() =>
        Assert.Empty(InputFile.ReadAll(Write("empty", []), "list", mayBeEmpty: true));

    [Fact]
    public void What_is_no_file_is_called_what_it_is()
    {
        string missing = Path.Combine(_folder, "missing");
        string link = Path.Combine(_folder, "link");
        File.CreateSymbolicLink(link, missing);
        string good = Write("good", [1]);

        InputFile.Open(good, "image").Dispose();
        foreach (Action<string> read in (Action<string>[])[p => InputFile.Open(p, "image").Dispose(), p => InputFile.ReadAll(p, "image")])
        {
            AssertRefused(read, missing, missing + ": no such file; give the path of the image");
            AssertRefused(read, Path.Combine(missing, "below"), Path.Combine(missing, "below") + ": no such file; give the path of the image");
            AssertRefused(read, link, link + ": is a symbolic link to a file that is not there; give the image itself");
            AssertRefused(read, _folder, _folder + ": is a directory; give the image itself");
            AssertRefused(read, "/dev/null", "/dev/null: is a device; give the image as a file");
            AssertRefused(read, Path.Combine(good, "below"), Path.Combine(good, "below") + ": ");
            AssertRefused(read, "", "the name of the image is empty");
            AssertRefused(read, "a\0b", "the name of the image holds a NUL");
        }
    }

    [Fact]
    public void Pipes_are_read_where_the_shell_made_them_only()
    {
        string pipe = Path.Combine(_folder, "pipe");
        Run("mkfifo", pipe);
        AssertRefused(p => InputFile.Open(p, "image").Dispose(), pipe, pipe + ": is a named pipe (FIFO); give the image as a file");
        Assert.False(OutputFile.IsOrdinary(pipe));
        Assert.Equal(pipe, OutputFile.Follow(pipe));
    }

    [Fact]
    public void A_result_goes_to_the_file_at_the_end_of_links()
    {
        string file = Write("file", []);
        string one = Path.Combine(_folder, "one");
        string two = Path.Combine(_folder, "two");
        string nowhere = Path.Combine(_folder, "nowhere");
        string circle = Path.Combine(_folder, "circle");
        File.CreateSymbolicLink(one, file);
        File.CreateSymbolicLink(two, one);
        File.CreateSymbolicLink(nowhere, Path.Combine(_folder, "new"));
        File.CreateSymbolicLink(circle, circle);

        Assert.Equal(file, OutputFile.Follow(file));
        Assert.Equal(file, OutputFile.Follow(one));
        Assert.Equal(file, OutputFile.Follow(two));
        Assert.Equal(Path.Combine(_folder, "new"), OutputFile.Follow(nowhere));
        Assert.Equal(Path.Combine(_folder, "missing"), OutputFile.Follow(Path.Combine(_folder, "missing")));
        Assert.Equal("/dev/null", OutputFile.Follow("/dev/null"));
        string socket = Path.Combine(_folder, "s");
        using (Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            listener.Bind(new UnixDomainSocketEndPoint(socket));
            File.CreateSymbolicLink(socket + "-link", socket);
            Assert.Equal(socket + "-link", OutputFile.Follow(socket + "-link"));
        }

        string device = Path.Combine(_folder, "device");
        File.CreateSymbolicLink(device, "/dev/null");
        Assert.Equal(device, OutputFile.Follow(device));
        string pipe = Path.Combine(_folder, "pipe");
        Run("mkfifo", pipe);
        File.CreateSymbolicLink(pipe + "-link", pipe);
        Assert.Equal(pipe + "-link", OutputFile.Follow(pipe + "-link"));

        AssertRefused(p => OutputFile.Follow(p), circle, circle + ": is a symbolic link that leads nowhere or in a circle");
    }

    [Fact]
    public void A_result_is_written_over_no_file_that_is_read()
    {
        string input = Write("input", [1]);
        string other = Write("other", [1]);
        string link = Path.Combine(_folder, "link");
        File.CreateSymbolicLink(link, input);
        string around = Path.Combine(_folder, "..", Path.GetFileName(_folder), "input");
        string missing = Path.Combine(_folder, "missing");

        foreach (string path in (string[])[input, link, around])
        {
            AssertRefused(p => OutputFile.Distinct(p, "--out", (other, "map"), (input, "image")), path, path + ": is the image; name another file with --out");
        }

        AssertRefused(p => OutputFile.Distinct(p, "--out", (Path.Combine(_folder, ".", "missing"), "image")), missing, missing + ": is the image");
        AssertRefused(p => OutputFile.Distinct(p, "--out"), "", "the name of the file of --out is empty");
        OutputFile.Distinct(other, "--out", (input, "image"), (null, "map"), ("", "map"));
        OutputFile.Distinct(missing, "--out", (input, "image"));
        OutputFile.Distinct(input, "--out", (missing, "image"));
        OutputFile.Distinct("-", "--out", ("-", "image"));
        OutputFile.Distinct("/dev/null", "--out", ("/dev/null", "image"));
        OutputFile.Distinct("/dev/no-such", "--out", ("/dev/no-such", "image"));
    }

    [Fact]
    public void Files_and_places_for_them_are_ordinary_and_devices_and_folders_are_not()
    {
        Assert.True(OutputFile.IsOrdinary(Write("file", [])));
        Assert.True(OutputFile.IsOrdinary(Path.Combine(_folder, "missing")));
        Assert.False(OutputFile.IsOrdinary(_folder));
        Assert.False(OutputFile.IsOrdinary("/dev/null"));
        Assert.False(OutputFile.IsOrdinary("/dev/no-such"));
        Assert.False(OutputFile.IsOrdinary("/proc/self/fd/0") && OutputFile.IsOrdinary("/dev/zero"));
    }

    [Theory]
    [InlineData(11, true)]
    [InlineData(13, true)]
    [InlineData(33, true)]
    [InlineData(37, false)]
    [InlineData(22, false)]
    public void A_file_is_being_written_where_its_lock_is_held_and_not_where_the_file_system_has_no_locks(int error, bool isBeingWritten)
    {
        using RefusingFile file = new(Write("file", []), new IOException("refused", error));

        Assert.Equal(isBeingWritten, OutputFile.IsBeingWritten(file));
        Assert.Equal(!isBeingWritten, OutputFile.TryMark(file));
    }

    [Fact]
    public void Locks_that_a_file_does_not_have_are_none_that_another_holds()
    {
        foreach (Exception refusal in (Exception[])[new UnauthorizedAccessException(), new NotSupportedException()])
        {
            using RefusingFile file = new(Write("file", []), refusal);
            Assert.True(OutputFile.TryMark(file));
            Assert.False(OutputFile.IsBeingWritten(file));
        }

        using RefusingFile bug = new(Write("file", []), new InvalidOperationException());
        Assert.Throws<InvalidOperationException>(() => OutputFile.TryMark(bug));
    }

    [Fact]
    public void A_file_that_is_asked_about_is_locked_and_given_back_and_one_that_is_marked_stays_locked()
    {
        using RecordingFile asked = new(Write("asked", []));
        Assert.False(OutputFile.IsBeingWritten(asked));
        Assert.Equal([("lock", long.MaxValue - 1, 1L), ("unlock", long.MaxValue - 1, 1L)], asked.Calls);

        using RecordingFile marked = new(Write("marked", []));
        Assert.True(OutputFile.TryMark(marked));
        Assert.Equal([("lock", long.MaxValue - 1, 1L)], marked.Calls);
    }

    [Theory]
    [InlineData("/dev/fd/")]
    [InlineData("/proc/self/fd/")]
    public void A_pipe_of_the_shell_is_read_to_its_end_or_refused(string folder)
    {
        byte[] bytes = new byte[3000];
        new Random(3).NextBytes(bytes);

        Assert.Equal(bytes, Piped(bytes, path => InputFile.ReadAll(path, "list", most: 3000)));
        Assert.Empty(Piped([], path => InputFile.ReadAll(path, "list", mayBeEmpty: true)));
        AssertRefused(_ => Piped(bytes, path => InputFile.ReadAll(path, "list", most: 2999)), "", folder);
        AssertRefused(_ => Piped([], path => InputFile.ReadAll(path, "list")), "", folder);

        byte[] Piped(byte[] content, Func<string, byte[]> read)
        {
            using AnonymousPipeServerStream source = new(PipeDirection.In);
            using (AnonymousPipeClientStream end = new(PipeDirection.Out, source.ClientSafePipeHandle))
            {
                end.Write(content);
            }

            return read(folder + source.SafePipeHandle.DangerousGetHandle().ToString(CultureInfo.InvariantCulture));
        }
    }

    [Fact]
    public void A_socket_is_no_file()
    {
        string path = Path.Combine(_folder, "s");
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));

        AssertRefused(p => InputFile.ReadAll(p, "image"), path, path + ": is a socket; give the image as a file");
        Assert.False(OutputFile.IsOrdinary(path));
    }

    [Fact]
    public void Standard_output_is_refused_by_its_name_only()
    {
        KprobeTraceException refused = Assert.Throws<KprobeTraceException>(() => OutputFile.RefuseStandardOutput("-", "--out", "a database needs a file"));
        Assert.Equal("--out -: a database needs a file (a file of that name is written ./-)", refused.Message);

        foreach (string? path in (string?[])[null, "./-", "--", "file"])
        {
            Assert.Null(Record.Exception(() => OutputFile.RefuseStandardOutput(path, "--out", "")));
        }
    }

    [Fact]
    public void A_neighbour_has_its_targets_folder_and_name_and_one_of_its_own()
    {
        string target = Path.Combine(_folder, "trace.kpt");
        string first = TemporaryNeighbour.Name(target, ".part");
        string second = TemporaryNeighbour.Name(target, ".part");

        Assert.NotEqual(first, second);
        foreach (string name in (string[])[first, second])
        {
            Assert.Equal(_folder, Path.GetDirectoryName(name));
            string[] parts = Path.GetFileName(name).Split('.');
            Assert.Equal(5, parts.Length);
            Assert.Equal(("trace", "kpt", Environment.ProcessId.ToString(CultureInfo.InvariantCulture), "part"), (parts[0], parts[1], parts[2], parts[4]));
        }

        Assert.Equal("run", Path.GetFileName(TemporaryNeighbour.Name(Path.Combine(_folder, "run") + Path.DirectorySeparatorChar, ".part")).Split('.')[0]);
    }

    [Theory]
    [InlineData('a', 205, 205)]
    [InlineData('a', 206, 205)]
    [InlineData('a', 255, 205)]
    [InlineData('ä', 102, 102)]
    [InlineData('ä', 103, 102)]
    [InlineData('a', 1, 1)]
    public void A_neighbours_name_is_cut_where_it_would_be_too_long(char character, int length, int kept)
    {
        string name = Path.GetFileName(TemporaryNeighbour.Name(Path.Combine(_folder, new string(character, length)), ".part"));

        Assert.Equal(new string(character, kept), name.Split('.')[0]);
    }

    [Theory]
    [InlineData('a', 255, false)]
    [InlineData('a', 256, true)]
    [InlineData('ä', 127, false)]
    [InlineData('ä', 128, true)]
    public void A_name_has_at_most_255_bytes(char character, int length, bool isTooLong) =>
        Assert.Equal(isTooLong, TemporaryNeighbour.IsNameTooLong(Path.Combine(_folder, new string(character, length))));

    [Fact]
    public void What_killed_processes_left_behind_is_removed_and_nothing_else()
    {
        string target = Path.Combine(_folder, "run.kpt");
        string alive = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        string[] kept =
        [
            "run.kpt", $"run.kpt.{alive}.1.part", "run.kpt.dead.1.part", "run.kpt.-5.1.part", "other.kpt.2147483646.1.part",
            "run.kpt.2147483646.1.other", "run.kp.2147483646.1.part", "run.kpt.part", "xrun.kpt.2147483646.1.part",
        ];
        string[] gone = ["run.kpt.2147483646.1.part", "run.kpt.2147483645.12.part", "run.kpt.2147483646.2.part-wal"];
        foreach (string name in (string[])[.. kept, .. gone])
        {
            Write(name, [1]);
        }

        string folder = Path.Combine(_folder, "run.kpt.2147483646.3.part");
        Directory.CreateDirectory(Path.Combine(folder, "below"));

        TemporaryNeighbour.RemoveLeftovers(target, ".part");

        Assert.Equal(kept.Order(StringComparer.Ordinal), Directory.EnumerateFileSystemEntries(_folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        TemporaryNeighbour.RemoveLeftovers(Path.Combine(_folder, "missing", "run.kpt"), ".part");
        TemporaryNeighbour.Remove(Path.Combine(_folder, "missing", "file"));
    }

    [Theory]
    [InlineData("plain ü", "plain ü")]
    [InlineData("a\nb\tc\rd", "a\\nb\\tc\\rd")]
    [InlineData("\u001b[1m\u0007\u007f\u0085\0", "\\x1b[1m\\x07\\x7f\\x85\\x00")]
    [InlineData("", "")]
    public void A_line_holds_no_control_characters(string text, string line)
    {
        Assert.Equal(line, OneLine.Of(text));
        Assert.Equal(line, OneLine.OfMessage(text));
    }

    [Fact]
    public void A_message_is_shortened_and_a_text_is_not()
    {
        string longest = new('x', Excerpt.MaxLine);

        Assert.Equal(longest, OneLine.OfMessage(longest));
        Assert.Equal(Excerpt.MaxLine, OneLine.OfMessage(longest + "y").Length);
        Assert.Equal(longest + "y", OneLine.Of(longest + "y"));
        Assert.Equal(Excerpt.MaxLine, OneLine.OfMessage(new string('\n', Excerpt.MaxLine)).Length);
    }

    [Theory]
    [InlineData(FileFamily.Kernel, FileRole.Image, "do this to 'a b'")]
    [InlineData(FileFamily.Packed, FileRole.Symbols, "do this to 'a b'")]
    [InlineData(FileFamily.Compressed, FileRole.Probes, "do this to 'a b'")]
    [InlineData(FileFamily.Disk, FileRole.Trace, "do this to 'a b'")]
    [InlineData(FileFamily.FileSystem, FileRole.Symbols, "do this to 'a b'")]
    [InlineData(FileFamily.Packed, FileRole.Initrd, "--initrd takes a cpio archive, as it is or packed as Linux unpacks it")]
    [InlineData(FileFamily.Kernel, FileRole.Initrd, "--initrd takes a cpio archive, as it is or packed as Linux unpacks it")]
    [InlineData(FileFamily.Kernel, FileRole.Symbols, "its symbols are read where it is the image; --symbols takes a System.map or an ELF file with symbols")]
    [InlineData(FileFamily.Text, FileRole.Symbols, "--symbols takes a System.map or an x86-64 ELF file with symbols")]
    [InlineData(FileFamily.Foreign, FileRole.Probes, "--probe-file takes text with one definition a line")]
    [InlineData(FileFamily.Kernel, FileRole.Trace, "kprobe-record runs it and writes the trace that kprobe-report reads")]
    [InlineData(FileFamily.Database, FileRole.Trace, "give the trace itself; of a history, its summary says what was damaged")]
    [InlineData(FileFamily.Initramfs, FileRole.Trace, "kprobe-report reads traces of kprobe-record and its own databases")]
    [InlineData(FileFamily.Text, FileRole.Trace, "kprobe-report reads traces of kprobe-record and its own databases")]
    internal void A_refusal_says_what_to_give_instead(FileFamily family, FileRole role, string remedy) =>
        Assert.Equal("a b: it is a thing; " + remedy, new FileKind(family, "a thing", "do this to FILE").Refuse("a b", role).Message);

    private static void AssertRefused(Action<string> read, string path, string said) =>
        Assert.StartsWith(said, Assert.Throws<KprobeTraceException>(() => read(path)).Message, StringComparison.Ordinal);

    private static void Run(string program, string argument)
    {
        using Process process = Process.Start(program, [argument]);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    private string Write(string name, byte[] bytes)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>A file whose locks the system refuses.</summary>
    private sealed class RefusingFile(string path, Exception refusal) : FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite)
    {
        public override void Lock(long position, long length) => throw refusal;
    }

    /// <summary>A file that writes down which of its bytes are locked.</summary>
    private sealed class RecordingFile(string path) : FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite)
    {
        public List<(string Call, long Position, long Length)> Calls { get; } = [];

        public override void Lock(long position, long length) => Calls.Add(("lock", position, length));

        public override void Unlock(long position, long length) => Calls.Add(("unlock", position, length));
    }
}
