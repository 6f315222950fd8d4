using Iced.Intel;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.Decode;

/// <summary>Decodes a run of instructions into a block: up to a branch, a page's end, a breakpoint or a limit.</summary>
internal sealed unsafe class BlockDecoder : IBlockSource
{
    /// <summary>
    /// How this processor reads encodings: as AMD's do, and with none of the features that others have put into the space of
    /// reserved no-operations, 0F 18 to 0F 1F, or behind a prefix that means nothing to WBINVD.
    /// </summary>
    public const DecoderOptions Encoding = DecoderOptions.AMD | DecoderOptions.ForceReservedNop | DecoderOptions.NoWbnoinvd;

    private const int MaxInstructionLength = 15;

    private readonly Processor _cpu;
    private readonly PhysicalMemory _memory;
    private readonly IBlockBuilder _builder;
    private readonly ByteReader _reader = new();
    private readonly Decoder[] _decoders;
    private readonly InstructionRun _run = new();
    private readonly LengthLimit _lengthLimit = new();
    private ulong _secondPage;

    /// <summary>Decodes for a processor; <paramref name="builder"/> makes the blocks.</summary>
    public BlockDecoder(Processor cpu, PhysicalMemory memory, IBlockBuilder builder)
    {
        _cpu = cpu;
        _memory = memory;
        _builder = builder;
        _decoders =
        [
            Decoder.Create(16, _reader, Encoding),
            Decoder.Create(32, _reader, Encoding),
            Decoder.Create(64, _reader, Encoding),
        ];
    }

    /// <inheritdoc/>
    public bool Decode(ulong rip, ulong physical, int mode, int limit, bool overlay, Block* into)
    {
        *into = default;
        into->Ip = rip;
        into->Physical = physical;
        into->Mode = mode;
        into->SecondPage = ulong.MaxValue;
        _secondPage = ulong.MaxValue;
        IFetchOverlay? breakpoints = overlay && (mode & BlockMode.User) == 0 ? _cpu.Group.FetchOverlay : null;
        if (breakpoints != null && !breakpoints.MayContain(physical & ~0xFFFUL, rip & ~0xFFFUL))
        {
            breakpoints = null;
        }

        int handle = breakpoints?.Find(physical, rip) ?? -1;
        if (handle >= 0)
        {
            // An instruction that lies in two pages is fetched from both before its breakpoint counts.
            bool mayCross = (rip & 0xFFF) > (ulong)(PhysicalMemory.PageSize - MaxInstructionLength);
            if (mayCross && Collect(rip, physical, mode, 1, null) == 0)
            {
                return false;
            }

            into->SecondPage = _secondPage;
            _builder.BuildBreakpoint(handle, into);
            return true;
        }

        if (Collect(rip, physical, mode, limit, breakpoints) == 0)
        {
            return false;
        }

        into->SecondPage = _secondPage;
        FindDeadFlags();
        _run.Mode = mode;
        _run.IsCut = limit < Block.MaxInstructions;
        _builder.Build(_run, (mode & BlockMode.User) == 0 ? _cpu.Group.ExecutionCounts : null, into);
        return true;
    }

    /// <summary>Fills <see cref="_run"/>; zero with a fault pending when not even one instruction can be fetched.</summary>
    private int Collect(ulong rip, ulong physical, int mode, int limit, IFetchOverlay? breakpoints)
    {
        Decoder decoder = _decoders[mode & BlockMode.SizeMask];
        _run.Start(rip);
        bool isRam = _memory.Contains(physical, 1);
        if (isRam)
        {
            _reader.Set(_memory.Base + physical, (int)(PhysicalMemory.PageSize - (physical & 0xFFF)));
        }
        else
        {
            _reader.SetAbsent();
        }

        decoder.IP = rip;
        while (_run.Count < limit)
        {
            ulong at = decoder.IP;
            byte* bytes = _reader.At;
            if (_run.Count > 0 && ((at ^ rip) >> 12 != 0 || (breakpoints != null && breakpoints.Find(physical + (at - rip), at) >= 0)))
            {
                break;
            }

            ref Instruction i = ref _run.Instructions[_run.Count];
            decoder.Decode(out i);
            if (i.IsInvalid && decoder.LastError == DecoderError.NoMoreBytes)
            {
                return _run.Count > 0 ? _run.Count : DecodeAcrossPages(decoder, rip, physical, mode);
            }

            Note(bytes, mode);
            if (i.IsInvalid || i.FlowControl is not (FlowControl.Next or FlowControl.XbeginXabortXend))
            {
                break;
            }
        }

        return _run.Count;
    }

    private int DecodeAcrossPages(Decoder decoder, ulong rip, ulong physical, int mode)
    {
        ulong nextPage = (rip | 0xFFF) + 1;
        if (!_cpu.TryTranslateFetch(nextPage, out ulong second))
        {
            return 0;
        }

        byte* bytes = stackalloc byte[2 * MaxInstructionLength];
        int head = (int)(nextPage - rip);
        Buffer.MemoryCopy(_memory.Base + physical, bytes, head, head);
        bool isRam = _memory.Contains(second, MaxInstructionLength);
        for (int i = 0; i < MaxInstructionLength; i++)
        {
            bytes[head + i] = isRam ? _memory.Base[second + (ulong)i] : (byte)0xFF;
        }

        _reader.Set(bytes, head + MaxInstructionLength);
        decoder.IP = rip;
        decoder.Decode(out _run.Instructions[0]);
        _secondPage = second & ~0xFFFUL;
        Note(bytes, mode);
        return 1;
    }

    /// <summary>Takes the instruction just decoded into the run, with what its bytes say and the decoder library does not.</summary>
    private void Note(byte* bytes, int mode)
    {
        ref Instruction i = ref _run.Instructions[_run.Count];
        _run.NoteRow();
        bool code64 = (mode & BlockMode.SizeMask) == BlockMode.Code64;
        _run.X87Opcodes[_run.Count] = bytes == null ? (ushort)0 : Prefixes.X87Opcode(bytes, i.Length, code64);
        _run.EndsTooLong = i.IsInvalid && i.Length >= MaxInstructionLength
            && (bytes == null || _lengthLimit.IsExceeded(bytes, mode & BlockMode.SizeMask));
        _run.EndsInWideCall = code64 && i.IsCallFarIndirect && bytes != null && Prefixes.HasRexW(bytes, i.Length);
        _run.End = i.IP + (ulong)i.Length;
        _run.Count++;
    }

    /// <summary>Marks the operations whose flags are overwritten before any fault, exit or reader could see them.</summary>
    private void FindDeadFlags()
    {
        bool dead = false;
        for (int n = _run.Count - 1; n >= 0; n--)
        {
            ref Instruction i = ref _run.Instructions[n];
            ref readonly InstructionRow row = ref _run.RowOf(n);
            _run.FlagsDead[n] = dead;
            dead = row.IsPlain(i) && (dead || row.SetsAllFlags(i));
        }
    }
}
