using Iced.Intel;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.Decode;

/// <summary>Decodes a run of instructions into a block: up to a branch, a page's end, a breakpoint or a limit.</summary>
internal sealed unsafe class BlockDecoder
{
    /// <summary>Instructions a block holds at most.</summary>
    public const int MaxInstructions = 64;

    /// <summary>Operations of a block at most: two an instruction, and what ends it.</summary>
    public const int MaxOperations = (2 * MaxInstructions) + 2;

    /// <summary>Bytes a decoded block takes at most, its header included.</summary>
    public static readonly int MaxBytes = sizeof(Block) + (MaxOperations * sizeof(Op)) + TailCalls.TableBytes(MaxOperations);

    private const int MaxInstructionLength = 15;

    private readonly Processor _cpu;
    private readonly PhysicalMemory _memory;
    private readonly ByteReader _reader = new();
    private readonly Decoder[] _decoders;
    private readonly Instruction[] _instructions = new Instruction[MaxInstructions];
    private readonly bool[] _flagsDead = new bool[MaxInstructions];
    private readonly ushort[] _x87Opcodes = new ushort[MaxInstructions];
    private readonly LengthLimit _lengthLimit = new();
    private ulong _secondPage;
    private bool _tooLong;

    /// <summary>The last instruction of the block is a far CALL with REX.W.</summary>
    private bool _wideCall;

    public BlockDecoder(Processor cpu, PhysicalMemory memory)
    {
        _cpu = cpu;
        _memory = memory;
        _decoders =
        [
            Decoder.Create(16, _reader, OpBinder.Encoding),
            Decoder.Create(32, _reader, OpBinder.Encoding),
            Decoder.Create(64, _reader, OpBinder.Encoding),
        ];
    }

    /// <summary>Decodes a block of at most <paramref name="limit"/> instructions; false with a fetch fault pending.</summary>
    public bool Decode(ulong rip, ulong physical, int mode, int limit, bool overlay, Block* into)
    {
        bool decoded = TryDecode(rip, physical, mode, limit, overlay, into);
        if (decoded && !TailCalls.AreTaken)
        {
            TailCalls.Hide(into);
        }

        return decoded;
    }

    private bool TryDecode(ulong rip, ulong physical, int mode, int limit, bool overlay, Block* into)
    {
        *into = default;
        into->Ip = rip;
        into->Physical = physical;
        into->Mode = mode;
        into->SecondPage = ulong.MaxValue;
        _secondPage = ulong.MaxValue;
        IFetchOverlay? breakpoints = overlay && (mode & BlockMode.User) == 0 ? _cpu.FetchOverlay : null;
        if (breakpoints != null && !breakpoints.MayContain(physical & ~0xFFFUL, rip & ~0xFFFUL))
        {
            breakpoints = null;
        }

        int handle = breakpoints?.Find(physical, rip) ?? -1;
        if (handle >= 0)
        {
            // An instruction that lies in two pages is fetched from both before its breakpoint counts.
            bool mayCross = (rip & 0xFFF) > (ulong)(PhysicalMemory.PageSize - MaxInstructionLength);
            if (mayCross && Collect(rip, physical, mode, 1, null, out _) == 0)
            {
                return false;
            }

            into->SecondPage = _secondPage;
            EmitBreakpoint(into, handle);
            return true;
        }

        int count = Collect(rip, physical, mode, limit, breakpoints, out ulong end);
        if (count == 0)
        {
            return false;
        }

        into->SecondPage = _secondPage;
        FindDeadFlags(count);
        Emit(into, count, mode, end, limited: limit < MaxInstructions);
        return true;
    }

    private static void EmitBreakpoint(Block* into, int handle)
    {
        Op* op = Block.First(into);
        *op = default;
        op->Handler = &Breakpoints.Overlay;
        op->Immediate = handle;
        op->Remaining = 1;
        into->Count = 1;
        into->Operations = 1;
    }

    /// <summary>Fills <see cref="_instructions"/>; zero with a fault pending when not even one can be fetched.</summary>
    private int Collect(ulong rip, ulong physical, int mode, int limit, IFetchOverlay? breakpoints, out ulong end)
    {
        Decoder decoder = _decoders[mode & BlockMode.SizeMask];
        end = rip;
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
        _tooLong = _wideCall = false;
        int count = 0;
        while (count < limit)
        {
            ulong at = decoder.IP;
            byte* bytes = _reader.At;
            if (count > 0 && ((at ^ rip) >> 12 != 0 || (breakpoints != null && breakpoints.Find(physical + (at - rip), at) >= 0)))
            {
                break;
            }

            ref Instruction i = ref _instructions[count];
            decoder.Decode(out i);
            if (i.IsInvalid && decoder.LastError == DecoderError.NoMoreBytes)
            {
                if (count > 0)
                {
                    break;
                }

                return DecodeAcrossPages(decoder, rip, physical, mode, ref end);
            }

            end = at + (ulong)i.Length;
            Note(count, bytes, mode);
            count++;
            if (i.IsInvalid || i.FlowControl is not (FlowControl.Next or FlowControl.XbeginXabortXend))
            {
                break;
            }
        }

        return count;
    }

    private int DecodeAcrossPages(Decoder decoder, ulong rip, ulong physical, int mode, ref ulong end)
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
        decoder.Decode(out _instructions[0]);
        end = rip + (ulong)_instructions[0].Length;
        _secondPage = second & ~0xFFFUL;
        Note(0, bytes, mode);
        return 1;
    }

    /// <summary>Notes of an instruction what its bytes say and the decoder library does not.</summary>
    private void Note(int number, byte* bytes, int mode)
    {
        ref Instruction i = ref _instructions[number];
        bool code64 = (mode & BlockMode.SizeMask) == BlockMode.Code64;
        _x87Opcodes[number] = bytes == null ? (ushort)0 : Prefixes.X87Opcode(bytes, i.Length, code64);
        _tooLong = i.IsInvalid && i.Length >= MaxInstructionLength
            && (bytes == null || _lengthLimit.IsExceeded(bytes, mode & BlockMode.SizeMask));
        _wideCall = code64 && i.IsCallFarIndirect && bytes != null && Prefixes.HasRexW(bytes, i.Length);
    }

    /// <summary>Marks the operations whose flags are overwritten before any fault, exit or reader could see them.</summary>
    private void FindDeadFlags(int count)
    {
        bool dead = false;
        for (int n = count - 1; n >= 0; n--)
        {
            ref Instruction i = ref _instructions[n];
            _flagsDead[n] = dead;
            if (!CannotFault(i))
            {
                dead = false;
            }
            else if (WritesAllFlags(i))
            {
                dead = true;
            }
            else if (i.RflagsRead != RflagsBits.None)
            {
                dead = false;
            }
        }
    }

    private static bool CannotFault(in Instruction i)
    {
        for (int n = 0; n < i.OpCount; n++)
        {
            if (i.GetOpKind(n) == OpKind.Memory && i.Mnemonic != Mnemonic.Lea)
            {
                return false;
            }
        }

        return i.Mnemonic is Mnemonic.Lea or Mnemonic.Movzx or Mnemonic.Movsx or Mnemonic.Movsxd or Mnemonic.Inc or Mnemonic.Dec
            or Mnemonic.Not or Mnemonic.Nop or Mnemonic.Cwde or Mnemonic.Cdqe or Mnemonic.Cdq or Mnemonic.Cqo or Mnemonic.Bswap or Mnemonic.Imul
            or Mnemonic.Shl or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Rol or Mnemonic.Ror
            || (i.Mnemonic == Mnemonic.Mov && i.Op0Register.IsGPR() && (i.Op1Kind != OpKind.Register || i.Op1Register.IsGPR()))
            || WritesAllFlags(i);
    }

    private static bool WritesAllFlags(in Instruction i) => i.Mnemonic switch
    {
        Mnemonic.Add or Mnemonic.Sub or Mnemonic.And or Mnemonic.Or or Mnemonic.Xor or Mnemonic.Cmp or Mnemonic.Test or Mnemonic.Neg => true,

        // By a constant within the narrowest count mask, so that it shifts at all.
        Mnemonic.Shl or Mnemonic.Shr or Mnemonic.Sar => i.Op1Kind == OpKind.Immediate8 && (i.Immediate8 & 31) != 0,
        _ => false,
    };

    private void Emit(Block* into, int count, int mode, ulong end, bool limited)
    {
        Op* op = Block.First(into);
        BindResult result = BindResult.Continue;
        IExecutionCounts? counts = (mode & BlockMode.User) == 0 ? _cpu.ExecutionCounts : null;
        for (int n = 0; n < count; n++)
        {
            op = Count(counts, op, into, n, count);
            Start(op, into, n, count);
            ref Instruction i = ref _instructions[n];
            if (counts == null && n + 2 == count && OpBinder.TryFuse(i, _instructions[n + 1], op, mode))
            {
                op++;
                n++;
                Start(op, into, n, count);
            }
            else
            {
                Start(op, into, n, count);
            }

            result = _tooLong && n == count - 1
                ? OpBinder.BindTooLong(op)
                : OpBinder.Bind(_instructions[n], op, mode, _flagsDead[n]);
            op->Immediate |= (long)_x87Opcodes[n] << X87.OpcodeShift;
            if (_wideCall && n == count - 1)
            {
                // AMD's processors take no pointer with an offset of 64 bits, but push what REX.W asks for.
                op->Destination = sizeof(ulong);
            }

            op++;
        }

        if (result != BindResult.End)
        {
            *op = default;
            op->Number = (byte)(op - Block.First(into));
            op->IpOffset = (ushort)(end - into->Ip);
            op->Immediate = (long)end;
            op->Handler = limited ? &Branches.EndOfPartialBlock : &Branches.FallThrough;
            op++;
        }

        into->Count = count;
        into->Operations = (int)(op - Block.First(into));
    }

    /// <summary>Emits the operation that counts executions of instruction <paramref name="n"/>, where that is wanted.</summary>
    private Op* Count(IExecutionCounts? counts, Op* op, Block* block, int n, int count)
    {
        ulong offset = _instructions[n].IP - block->Ip;
        long* counter = counts == null ? null : counts.Find(block->Physical + offset, block->Ip + offset);
        if (counter == null)
        {
            return op;
        }

        Start(op, block, n, count);
        op->Link = (Op*)counter;
        op->Handler = &Breakpoints.Count;
        return op + 1;
    }

    private void Start(Op* op, Block* block, int n, int count)
    {
        *op = default;
        op->Number = (byte)(op - Block.First(block));
        op->IpOffset = (ushort)(_instructions[n].IP - block->Ip);
        op->Length = (byte)_instructions[n].Length;
        op->Remaining = (byte)(count - n);
    }
}
