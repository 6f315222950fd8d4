using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.MemoryMappedFiles;
using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

/// <summary>The child process that runs cases on the host processor; started again when a case kills it.</summary>
internal sealed unsafe class OracleProcess : IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly string _path;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _shared;
    private Process? _child;

    public OracleProcess()
    {
        string folder = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        _path = Path.Combine(folder, $"kprobetrace-oracle-{Environment.ProcessId}-{Guid.NewGuid():N}");
        _file = MemoryMappedFile.CreateFromFile(_path, FileMode.CreateNew, null, OracleLayout.FileSize);
        _view = _file.CreateViewAccessor();
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _shared);
        BinaryPrimitives.WriteUInt32LittleEndian(Span(0, 4), OracleLayout.Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(Span(4, 4), OracleLayout.Version);
        PristineMemory.ReadOnly.CopyTo(Span(OracleLayout.PristineReadOnlyOffset, (int)OracleLayout.PageSize));
        PristineMemory.Writable.CopyTo(Span(OracleLayout.PristineOffset, (int)OracleLayout.WritableSize));
    }

    /// <summary>How often the child had to be started again.</summary>
    public int Restarts { get; private set; }

    private static string Executable => Path.Combine(AppContext.BaseDirectory, "Oracle", "oracle");

    /// <summary>Runs the cases and returns their outcomes in the same order.</summary>
    public Outcome[] Run(IReadOnlyList<TestCase> cases)
    {
        var outcomes = new Outcome[cases.Count];
        int first = 0;
        while (first < cases.Count)
        {
            int count = WriteCases(cases, first);
            int done = RunBatch(count, out bool died);
            for (int i = 0; i < done; i++)
            {
                outcomes[first + i] = ReadOutcome(cases[first + i], i);
            }

            first += done;
            if (died && first < cases.Count)
            {
                outcomes[first] = new Outcome { Kind = OutcomeKind.Crashed, State = new ProcessorState() };
                first++;
            }
        }

        return outcomes;
    }

    public void Dispose()
    {
        Stop();
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
        File.Delete(_path);
    }

    // SAFETY: every caller passes a range inside the mapped file, whose size is OracleLayout.FileSize.
    private Span<byte> Span(int offset, int length) => new(_shared + offset, length);

    private int WriteCases(IReadOnlyList<TestCase> cases, int first)
    {
        int patchEnd = 0;
        int count = 0;
        for (; first + count < cases.Count && count < OracleLayout.MaxCases; count++)
        {
            TestCase one = cases[first + count];
            int patchStart = patchEnd;
            foreach (MemoryPatch patch in one.Patches)
            {
                patchEnd += 8 + ((patch.Bytes.Length + 7) & ~7);
            }

            if (patchEnd > OracleLayout.PatchArenaSize)
            {
                break;
            }

            WriteCase(one, Span(OracleLayout.CasesOffset + (count * OracleLayout.CaseInSize), OracleLayout.CaseInSize), patchStart);
        }

        return count;
    }

    private void WriteCase(TestCase one, Span<byte> to, int patchStart)
    {
        for (int i = 0; i < 16; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(to[(i * 8)..], one.Initial.Gpr[i]);
        }

        BinaryPrimitives.WriteUInt64LittleEndian(to[128..], one.Initial.Rflags);
        BinaryPrimitives.WriteUInt32LittleEndian(to[136..], one.CodeOffset);
        BinaryPrimitives.WriteUInt32LittleEndian(to[140..], (uint)one.Bytes.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(to[144..], (uint)patchStart);
        BinaryPrimitives.WriteUInt32LittleEndian(to[148..], (uint)one.Patches.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(to[152..], one.StopsAtBreakpoint ? 1u : 0u);
        one.Bytes.CopyTo(to[176..]);
        one.Initial.Fx.CopyTo(to[192..]);
        int at = OracleLayout.PatchesOffset + patchStart;
        foreach (MemoryPatch patch in one.Patches)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(Span(at, 4), patch.Offset);
            BinaryPrimitives.WriteUInt32LittleEndian(Span(at + 4, 4), (uint)patch.Bytes.Length);
            patch.Bytes.CopyTo(Span(at + 8, patch.Bytes.Length));
            at += 8 + ((patch.Bytes.Length + 7) & ~7);
        }
    }

    /// <summary>Runs the written cases; when the child died, the case after the returned count did it.</summary>
    private int RunBatch(int count, out bool died)
    {
        Process child = _child ??= Start();
        byte[] word = BitConverter.GetBytes(count);
        try
        {
            child.StandardInput.BaseStream.Write(word);
            child.StandardInput.BaseStream.Flush();
            if (ReadWord(child) is int done)
            {
                died = false;
                return done;
            }
        }
        catch (IOException)
        {
            // The child died before it read the count: handled as below.
        }

        Stop();
        Restarts++;
        died = true;
        return (int)BinaryPrimitives.ReadUInt32LittleEndian(Span(8, 4));
    }

    private Process Start()
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Span(8, 4), 0);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Executable, File.GetUnixFileMode(Executable) | UnixFileMode.UserExecute);
        }

        var start = new ProcessStartInfo(Executable, [_path]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        Process child = Process.Start(start) ?? throw new InvalidOperationException("the oracle process did not start");
        if (ReadWord(child) != 0)
        {
            child.WaitForExit(1000);
            throw new InvalidOperationException(
                $"the oracle process could not set itself up (exit code {(child.HasExited ? child.ExitCode : -1)})");
        }

        ReadOnlySpan<uint> expected =
        [
            OracleLayout.CaseInSize, OracleLayout.CaseOutSize, OracleLayout.PristineReadOnlyOffset, OracleLayout.CasesOffset,
            OracleLayout.ResultsOffset, OracleLayout.PatchesOffset, OracleLayout.DiffsOffset, OracleLayout.FileSize,
        ];
        for (int i = 0; i < expected.Length; i++)
        {
            uint actual = BinaryPrimitives.ReadUInt32LittleEndian(Span(16 + (i * 4), 4));
            if (actual != expected[i])
            {
                throw new InvalidOperationException($"oracle.c and OracleLayout disagree on size {i}: {actual}, {expected[i]}");
            }
        }

        return child;
    }

    private void Stop()
    {
        if (_child is null)
        {
            return;
        }

        if (!_child.HasExited)
        {
            _child.Kill();
        }

        _child.WaitForExit();
        _child.Dispose();
        _child = null;
    }

    /// <summary>Four bytes from the child, or null when it ended or kept silent for too long.</summary>
    private static int? ReadWord(Process child)
    {
        byte[] word = new byte[4];
        using var limit = new CancellationTokenSource(_patience);
        try
        {
            child.StandardOutput.BaseStream.ReadExactlyAsync(word, limit.Token).AsTask().GetAwaiter().GetResult();
            return BitConverter.ToInt32(word);
        }
        catch (Exception e) when (e is EndOfStreamException or OperationCanceledException or IOException)
        {
            return null;
        }
    }

    private Outcome ReadOutcome(TestCase one, int index)
    {
        ReadOnlySpan<byte> from = Span(OracleLayout.ResultsOffset + (index * OracleLayout.CaseOutSize), OracleLayout.CaseOutSize);
        var state = new ProcessorState
        {
            Rip = BinaryPrimitives.ReadUInt64LittleEndian(from[128..]),
            Rflags = BinaryPrimitives.ReadUInt64LittleEndian(from[136..]),
            FsBase = BinaryPrimitives.ReadUInt64LittleEndian(from[168..]),
            GsBase = BinaryPrimitives.ReadUInt64LittleEndian(from[176..]),
        };
        for (int i = 0; i < 16; i++)
        {
            state.Gpr[i] = BinaryPrimitives.ReadUInt64LittleEndian(from[(i * 8)..]);
        }

        for (int i = 0; i < 6; i++)
        {
            state.Segments[i] = BinaryPrimitives.ReadUInt16LittleEndian(from[(204 + (i * 2))..]);
        }

        from[224..736].CopyTo(state.Fx);
        uint status = BinaryPrimitives.ReadUInt32LittleEndian(from[184..]);
        OutcomeKind kind = status switch
        {
            0 => OutcomeKind.Completed,
            1 => OutcomeKind.Fault,
            2 => OutcomeKind.BadState,
            _ => OutcomeKind.Hung,
        };
        Fault fault = default;
        if (kind == OutcomeKind.Fault)
        {
            int vector = (int)BinaryPrimitives.ReadUInt32LittleEndian(from[192..]);
            ulong error = BinaryPrimitives.ReadUInt64LittleEndian(from[144..]);
            ulong address = BinaryPrimitives.ReadUInt64LittleEndian(from[152..]);
            if (StoppedAfter(one, state, vector, error, address))
            {
                kind = OutcomeKind.Completed;
            }
            else
            {
                fault = new Fault(vector, HasErrorCode(vector) ? error : 0, vector == 14 ? address : 0);
            }
        }

        return new Outcome { Kind = kind, State = state, Fault = fault, Memory = ReadMemory(from) };
    }

    private MemoryWord[] ReadMemory(ReadOnlySpan<byte> from)
    {
        int start = (int)BinaryPrimitives.ReadUInt32LittleEndian(from[196..]);
        int count = (int)BinaryPrimitives.ReadUInt32LittleEndian(from[200..]);
        var words = new MemoryWord[count];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> diff = Span(OracleLayout.DiffsOffset + ((start + i) * 16), 16);
            words[i] = new MemoryWord(
                (uint)BinaryPrimitives.ReadUInt64LittleEndian(diff), BinaryPrimitives.ReadUInt64LittleEndian(diff[8..]));
        }

        return words;
    }

    /// <summary>
    /// Tells a stop behind the instruction (the int3 that fills the code pages, or a failed fetch at the place it went to)
    /// from an exception of the instruction itself, and sets RIP to the place it went to.
    /// </summary>
    private static bool StoppedAfter(TestCase one, ProcessorState state, int vector, ulong error, ulong address)
    {
        const int Breakpoint = 3;
        const int PageFault = 14;
        const ulong FetchBit = 0x10;
        bool raisesItself = one.Instruction.Mnemonic is Mnemonic.Int or Mnemonic.Int3;
        if (vector == Breakpoint && !raisesItself)
        {
            state.Rip--;
            return true;
        }

        return vector == PageFault && (error & FetchBit) != 0 && address == state.Rip && state.Rip != one.Address;
    }

    private static bool HasErrorCode(int vector) => vector is 8 or 10 or 11 or 12 or 13 or 14 or 17;
}
