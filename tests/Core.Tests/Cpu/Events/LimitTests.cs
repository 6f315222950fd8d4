using Iced.Intel;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu.Events;

/// <summary>Every limit of a table or a segment, one below it, at it and one above.</summary>
public sealed unsafe class LimitTests : IDisposable
{
    private readonly TestGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    public static TheoryData<int, int> Vectors()
    {
        TheoryData<int, int> rows = [];
        foreach (int vector in (int[])[0x20, 0x80, 0xFF])
        {
            foreach (int offset in (int[])[-1, 0, 1])
            {
                rows.Add(vector, offset);
            }
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    public void A_gate_must_lie_within_the_idt_to_its_last_byte(int vector, int offset)
    {
        _guest.State->IdtLimit = (uint)((vector * 16) + 15 + offset);

        Caught caught = _guest.RunKernel(a => a.@int((byte)vector));

        Assert.Equal(offset < 0 ? $"13({(vector * 8) + 2:x})" : $"{vector}", caught.ToString());
    }

    [Theory]
    [InlineData(0, -1)]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(1, -1)]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(7, -1)]
    [InlineData(7, 0)]
    [InlineData(7, 1)]
    public void A_stack_pointer_must_lie_within_the_tss_to_its_last_byte(int ist, int offset)
    {
        // RSP0 is at 4, IST n at 28 + 8n. The fault that follows has an IST stack that lies below both.
        int at = ist == 0 ? 4 : 28 + (8 * ist);
        _guest.Write(TestGuest.Tss + (ulong)at, TestGuest.IstStack);
        _guest.SetGate(0x80, TestGuest.Handlers + 0x800, dpl: 3, ist: ist);
        _guest.State->Tr.Limit = (uint)(at + 7 + offset);
        _guest.Assemble(TestGuest.Code, a => a.@int(0x80));
        _guest.Assemble(TestGuest.UserCode, a => a.@int(0x80));
        if (ist == 0)
        {
            _guest.EnterUser();
        }

        _guest.Processor.SingleStep();

        bool fits = offset >= 0;
        Assert.Equal(fits ? TestGuest.Handlers + 0x800 : ist == 0 ? 0 : TestGuest.Handlers + 0xA0, _guest.Processor.ShutDown ? 0 : _guest.State->Rip);
        Assert.Equal(!fits && ist == 0, _guest.Processor.ShutDown);
        if (!fits && ist != 0)
        {
            Assert.Equal(TestGuest.TssSelector, _guest.Read(_guest.Rsp));
        }
    }

    public static TheoryData<int, int, int> Ports()
    {
        // The two bytes that hold a port's bits must both lie within the limit, whatever the width.
        TheoryData<int, int, int> rows = [];
        foreach (int port in (int[])[0, 7, 8, 15, 0x3F8, 0xFFFF])
        {
            foreach (int offset in (int[])[-1, 0, 1])
            {
                rows.Add(port, 1, offset);
                rows.Add(port, 4, offset);
            }
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(Ports))]
    public void The_bits_of_a_port_must_lie_within_the_tss_with_the_byte_behind(int port, int size, int offset)
    {
        const int Map = 0x68;
        _guest.State->Tr.Limit = (uint)(Map + (port / 8) + 1 + offset);
        _guest.Rdx = (ulong)port;

        Caught caught = _guest.RunUser(a => In(a, size));

        Assert.Equal(offset < 0 ? "13(0)" : "128", caught.ToString());
    }

    public static TheoryData<int, int, int> PortBits()
    {
        TheoryData<int, int, int> rows = [];
        for (int closed = 5; closed <= 13; closed++)
        {
            foreach (int size in (int[])[1, 2, 4])
            {
                rows.Add(8, size, closed);
                rows.Add(6, size, closed);
            }
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(PortBits))]
    public void Every_byte_of_a_port_access_needs_its_bit_open_and_no_other(int port, int size, int closed)
    {
        _guest.State->Tr.Limit = 0x68 + 8;
        _guest.Write(TestGuest.Tss + 0x68, 1UL << closed);
        _guest.Rdx = (ulong)port;

        Caught caught = _guest.RunUser(a => In(a, size));

        Assert.Equal(closed >= port && closed < port + size ? "13(0)" : "128", caught.ToString());
    }

    [Theory]
    [InlineData(102)]
    [InlineData(103)]
    [InlineData(104)]
    public void The_tss_must_hold_the_offset_of_the_port_map(int limit)
    {
        // The map lies before its own offset, so that only that can be beyond the limit.
        _guest.Write(TestGuest.Tss + 102, BitConverter.GetBytes((ushort)0x10));
        _guest.State->Tr.Limit = (uint)limit;
        _guest.Rdx = 0;

        Assert.Equal(limit < 103 ? "13(0)" : "128", _guest.RunUser(a => In(a, 1)).ToString());
    }

    [Theory]
    [InlineData(false, -1)]
    [InlineData(false, 0)]
    [InlineData(false, 1)]
    [InlineData(true, -1)]
    [InlineData(true, 0)]
    [InlineData(true, 1)]
    public void A_descriptor_must_lie_within_its_table_to_its_last_byte(bool local, int offset)
    {
        const uint Index = 0x18;
        ushort selector = (ushort)(Index | (local ? 4 : 0));
        ulong table = local ? TestGuest.Ldt : TestGuest.Gdt;
        _guest.Write(table + Index, TestGuest.Descriptor(0xC093));
        _guest.State->Ldtr = new Segment { Selector = 0x50, Base = TestGuest.Ldt, Limit = Index + 7 + (uint)offset, Attributes = 0x82 };
        _guest.State->GdtLimit = local ? 0xFF : Index + 7 + (uint)offset;
        _guest.Rax = selector;

        Caught caught = _guest.RunKernel(a => a.mov(ds, eax));

        Assert.Equal(offset < 0 ? $"13({selector:x})" : "none", caught.ToString());
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    public void A_task_register_needs_both_halves_of_its_descriptor_within_the_table(int offset)
    {
        _guest.SetDescriptor(TestGuest.Spare, TestGuest.Descriptor(0x0089, (uint)TestGuest.Tss, 0x67), 0);
        _guest.State->GdtLimit = (uint)(TestGuest.Spare + 15 + offset);
        _guest.Rax = TestGuest.Spare;

        Assert.Equal(offset < 0 ? $"13({TestGuest.Spare:x})" : "none", _guest.RunKernel(a => a.ltr(ax)).ToString());
    }

    [Theory]
    [InlineData(0x0000_7FFF_FFFF_FFF8UL, 8, "14(0)")]
    [InlineData(0x0000_7FFF_FFFF_FFF9UL, 8, "13(0)")]
    [InlineData(0x0000_8000_0000_0000UL, 1, "13(0)")]
    [InlineData(0xFFFF_7FFF_FFFF_FFFFUL, 1, "13(0)")]
    [InlineData(0xFFFF_8000_0000_0000UL, 1, "14(0)")]
    [InlineData(0xFFFF_FFFF_FFFF_FFF8UL, 8, "14(0)")]
    public void Addresses_are_canonical_from_their_first_byte_to_their_last(ulong address, int size, string raised)
    {
        _guest.Rbx = address;

        Assert.Equal(raised, _guest.RunKernel(a => { if (size == 8) { a.mov(rax, __qword_ptr[rbx]); } else { a.mov(al, __byte_ptr[rbx]); } }).ToString());
    }

    [Theory]
    [InlineData(-1, "13(0)")]
    [InlineData(0, "128")]
    [InlineData(1, "128")]
    public void A_jump_in_32_bit_code_reaches_the_last_byte_of_its_segment(int offset, string raised)
    {
        // A far return checks the target against the limit of the segment that it loads.
        const uint Target = 0x1000;
        ulong descriptor = TestGuest.Descriptor(0x40FB, (uint)TestGuest.UserCode, (uint)(Target + offset));
        _guest.SetDescriptor(TestGuest.Spare, descriptor);
        _guest.Assemble(32, TestGuest.UserCode + Target, Target, a => a.@int(0x80));
        _guest.Assemble(TestGuest.UserCode, a => a.db(0xCB));
        _guest.EnterUser();
        _guest.Rsp -= 8;
        _guest.Write(_guest.Rsp, Target | ((ulong)(TestGuest.Spare | 3) << 32));

        Assert.Equal(raised, _guest.Run().ToString());
    }

    [Theory]
    [InlineData(14UL, "none")]
    [InlineData(15UL, "none")]
    [InlineData(16UL, "13(0)")]
    public void The_task_priority_has_four_bits(ulong value, string raised)
    {
        _guest.Rax = value;

        Assert.Equal(raised, _guest.RunKernel(a => a.mov(cr8, rax)).ToString());
    }

    public static TheoryData<int, int, int> Watched()
    {
        // A breakpoint of 1, 2, 4 or 8 bytes at 10h of the page, and accesses that end before it, touch its first or last byte, or begin behind it.
        TheoryData<int, int, int> rows = [];
        foreach (int length in (int[])[1, 2, 4, 8])
        {
            foreach (int at in (int[])[0x10 - 5, 0x10 - 4, 0x10 - 3, 0x10 + length - 1, 0x10 + length, 0x10 + length + 1])
            {
                rows.Add(length, at, 4);
                rows.Add(length, at, 1);
            }
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(Watched))]
    public void A_data_breakpoint_sees_accesses_that_touch_one_of_its_bytes(int length, int at, int size)
    {
        ulong code = length switch { 1 => 0, 2 => 1, 8 => 2, _ => 3 };
        _guest.State->Dr[0] = TestGuest.Data + 0x10;
        _guest.State->Dr[7] = 0x401 | (1UL << 16) | (code << 18);
        _guest.Processor.UpdateBreakpoints();
        _guest.Rbx = TestGuest.Data + (ulong)at;

        Caught caught = _guest.RunKernel(a => { if (size == 4) { a.mov(__dword_ptr[rbx], eax); } else { a.mov(__byte_ptr[rbx], al); } });

        bool touches = at < 0x10 + length && at + size > 0x10;
        Assert.Equal(touches ? "1" : "none", caught.ToString());
    }

    [Theory]
    [InlineData(0x0, false, false)]
    [InlineData(0x1, false, false)]
    [InlineData(0x2, true, true)]
    [InlineData(0x3, false, false)]
    [InlineData(0x4, false, false)]
    [InlineData(0x5, false, false)]
    [InlineData(0x9, true, true)]
    [InlineData(0xB, true, true)]
    [InlineData(0xC, true, false)]
    [InlineData(0xE, false, false)]
    [InlineData(0xF, false, false)]
    public void Lar_and_lsl_know_the_system_descriptors_of_long_mode_a_busy_tss_too(int type, bool lar, bool lsl)
    {
        const uint limit = 0xFFFF;
        _guest.SetDescriptor(TestGuest.Spare, TestGuest.Descriptor(0x80 | type, 0, limit), 0);
        _guest.Rax = TestGuest.Spare;
        _guest.Rbx = _guest.Rcx = 0x5555;

        _guest.RunKernel(a =>
        {
            a.lar(ebx, eax);
            a.setz(dl);
            a.lsl(ecx, eax);
            a.setz(dh);
        });

        Assert.Equal((lar, lsl), ((_guest.Rdx & 1) != 0, (_guest.Rdx & 0x100) != 0));
        Assert.Equal(lar ? (ulong)(0x8000 | (type << 8)) : 0x5555, _guest.Rbx);
        Assert.Equal(lsl ? limit : 0x5555UL, _guest.Rcx);
    }

    private static void In(Assembler a, int size)
    {
        switch (size)
        {
            case 1: a.@in(al, dx); break;
            case 2: a.@in(ax, dx); break;
            default: a.@in(eax, dx); break;
        }
    }
}
