using System.Buffers.Binary;
using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;

namespace KprobeTrace.Tests.Guest;

/// <summary>
/// A stack laid down frame by frame for rules drawn at random: the return addresses are known because they were put there, not
/// because anything was looked up.
/// </summary>
internal sealed class OrcWalk
{
    private const ulong Text = GuestImage.Text;
    private const ulong Stack = 0xFFFF_C900_0000_0000;
    private const int StackSize = 0x8000;
    private const int Spacing = 0x20;
    private const int FirstRule = 0x40;

    // Places in OrcFormat.Registers.
    private const int None = 0;
    private const int PreviousSp = 1;
    private const int Dx = 2;
    private const int Di = 3;
    private const int Bp = 4;
    private const int Sp = 5;
    private const int R10 = 6;
    private const int R13 = 7;
    private const int BpIndirect = 8;
    private const int SpIndirect = 9;

    private readonly OrcFormat _format;
    private readonly Random _random;
    private readonly GuestRam _memory = new(Stack, StackSize);
    private readonly List<(int Ip, short Sp, short Bp, ushort Word)> _rules = [];
    private readonly List<string> _steps = [];

    /// <summary>Where the frame before saved all registers; 0 when none has.</summary>
    private ulong _saved;

    public OrcWalk(OrcFormat format, int seed)
    {
        _format = format;
        _random = new Random(seed);
        Build(depth: _random.Next(1, 12));
    }

    /// <summary>The registers at the innermost instruction.</summary>
    public UnwindRegisters Start { get; private set; }

    /// <summary>The return addresses, innermost first.</summary>
    public List<ulong> Expected { get; } = [];

    /// <summary>The registers as the innermost function's caller has them once it has returned; null where that was no call.</summary>
    public UnwindRegisters? Returned { get; private set; }

    /// <summary>What the rules were, for messages.</summary>
    public string Description => $"{_format.Name}: {string.Join(", ", _steps)}";

    public OrcUnwinder Unwinder()
    {
        const int ips = 0x1000;
        const int entries = 0x2000;

        // Most rules of any kernel are about the stack pointer; those numbers tell 7.0 from the kernels before.
        List<(int Ip, short Sp, short Bp, ushort Word)> rules =
            [.. _rules, .. Enumerable.Range(0, 40).Select(i => (0x800 + (i * 8), (short)8, (short)0, _format.Word(Sp, None, 0)))];
        LoadedImage image = GuestImage.Load(bytes =>
        {
            for (int i = 0; i < rules.Count; i++)
            {
                int at = ips + (i * 4);
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), rules[i].Ip - at);
                Span<byte> entry = bytes.AsSpan(entries + (i * 6));
                BinaryPrimitives.WriteInt16LittleEndian(entry, rules[i].Sp);
                BinaryPrimitives.WriteInt16LittleEndian(entry[2..], rules[i].Bp);
                BinaryPrimitives.WriteUInt16LittleEndian(entry[4..], rules[i].Word);
            }
        });
        SymbolTable symbols = GuestImage.Symbols(
            ("_stext", Text), ("_etext", Text + 0x1000),
            ("__start_orc_unwind_ip", Text + ips), ("__stop_orc_unwind_ip", Text + ips + ((ulong)rules.Count * 4)),
            ("__start_orc_unwind", Text + entries), ("__stop_orc_unwind", Text + entries + ((ulong)rules.Count * 6)));
        return new OrcUnwinder(image, symbols, _format.Types(), _memory);
    }

    private void Build(int depth)
    {
        ulong sp = Stack + ((ulong)_random.Next(1, 8) * 8);
        UnwindRegisters at = new(Ip(0, exact: true), sp, sp + ((ulong)_random.Next(8, 24) * 8));
        bool all = true;
        for (int i = 0; i < depth; i++)
        {
            at = Step(i, at, ref all);
        }

        _rules.Add((FirstRule + (depth * Spacing), 0, 0, _format.Word(None, None, 0, end: true)));
    }

    /// <summary>An instruction of a rule; a return address stands behind an instruction of it.</summary>
    private ulong Ip(int rule, bool exact) => Text + FirstRule + (ulong)(rule * Spacing)
        + (ulong)(_random.Next(3) switch { 0 => 0, 1 => Spacing - 1, _ => _random.Next(Spacing) }) + (exact ? 0ul : 1);

    /// <summary>Lays down a frame whose rule is drawn, and returns the registers of the caller.</summary>
    /// <param name="index">The rule's number.</param>
    /// <param name="at">The registers in the frame.</param>
    /// <param name="all">Whether all registers are known there, which is so at the start and behind saved registers.</param>
    private UnwindRegisters Step(int index, UnwindRegisters at, ref bool all)
    {
        ulong frame = at.Sp + 0x100 + ((ulong)_random.Next(16) * 8);
        int[] registers = all ? [Sp, Bp, SpIndirect, BpIndirect, R10, R13, Dx, Di] : [Sp, Bp, SpIndirect, BpIndirect];
        int register = registers[_random.Next(registers.Length)];
        int kind = _random.Next(4) switch { 0 => 1, 1 => 2, _ => 0 };
        short offset = 0;
        switch (register)
        {
            case Sp:
                offset = (short)(frame - at.Sp);
                break;
            case Bp:
                offset = (short)(frame - at.Bp);
                break;
            case SpIndirect:
                // The word on the stack, and the offset behind it.
                offset = (short)(_random.Next(-4, 4) * 8);
                _memory.Write(at.Sp, frame - (ulong)(long)offset);
                break;
            case BpIndirect:
                ulong pointer = at.Sp + 0x80;
                offset = (short)(pointer - at.Bp);
                _memory.Write(pointer, frame);
                break;
            default:
                at = register switch
                {
                    R10 => at with { R10 = frame },
                    R13 => at with { R13 = frame },
                    Dx => at with { Dx = frame },
                    _ => at with { Di = frame },
                };
                Known(at);
                offset = (short)(_random.Next(-4, 4) * 8); // these registers hold the frame themselves: no offset counts
                break;
        }

        if (index == 0)
        {
            Start = at;
        }

        ulong ip = Ip(index + 1, exact: kind != 0);
        ulong sp = frame;
        ulong bp = at.Bp;
        if (kind == 0)
        {
            _memory.Write(frame - 8, ip);
        }
        else
        {
            sp = frame + 0x100;
            ulong saved = kind == 1 ? frame : frame - 128;
            _memory.Write(saved + 128, ip).Write(saved + 136, 0x10).Write(saved + 152, sp);
            if (kind == 1)
            {
                _saved = saved;
                bp = sp + 0x40;
                _memory.Write(saved + 32, bp);
            }
        }

        (int bpRegister, short bpOffset) = RestoreBp(frame, at.Bp, ref bp);
        all = kind == 1;
        _steps.Add($"{register}{(kind == 0 ? "" : kind == 1 ? " regs" : " iret")} bp {bpRegister}");
        _rules.Add((FirstRule + (index * Spacing), offset, bpOffset, _format.Word(register, bpRegister, kind, signal: kind != 0)));
        Expected.Add(ip);
        UnwindRegisters next = new(ip, sp, bp);
        if (index == 0 && kind == 0)
        {
            Returned = next;
        }

        return next;
    }

    /// <summary>Puts registers where they are looked for: in the start, or among those that the frame before saved.</summary>
    private void Known(UnwindRegisters at)
    {
        if (_saved != 0)
        {
            _memory.Write(_saved + 16, at.R13).Write(_saved + 56, at.R10).Write(_saved + 96, at.Dx).Write(_saved + 112, at.Di);
        }
    }

    private (int Register, short Offset) RestoreBp(ulong frame, ulong before, ref ulong bp)
    {
        switch (_random.Next(3))
        {
            case 0:
                bp = frame + ((ulong)_random.Next(1, 32) * 8);
                _memory.Write(frame - 24, bp);
                return (PreviousSp, -24);
            case 1:
                bp = frame + ((ulong)_random.Next(1, 32) * 8);
                _memory.Write(frame - 32, bp);
                return (Bp, (short)(frame - 32 - before));
            default:
                return (None, 0);
        }
    }
}
