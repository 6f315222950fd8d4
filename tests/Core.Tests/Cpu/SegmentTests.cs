using Iced.Intel;
using KprobeTrace.Cpu.State;
using KprobeTrace.Tests.Guests;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Loads of segment, task and LDT registers, far transfers, and the instructions that examine selectors.</summary>
public sealed unsafe class SegmentTests : IDisposable
{
    private const ushort Spare = TestGuest.Spare;

    private readonly TestGuest _guest = new();

    public static TheoryData<string> Loads()
    {
        TheoryData<string> cases = [];
        foreach (string line in File.ReadLines(Repository.PathOf("tests/Core.Tests/Cpu/Tables/segment-loads.txt")))
        {
            if (line.Length > 0 && line[0] != '#')
            {
                cases.Add(line);
            }
        }

        return cases;
    }

    public void Dispose() => _guest.Dispose();

    [Theory]
    [MemberData(nameof(Loads))]
    public void Loads_or_refuses_as_the_table_says(string row)
    {
        string[] columns = row.Split(' ');
        int attributes = Convert.ToInt32(columns[2], 16);
        ushort selector = (ushort)(Spare | int.Parse(columns[3], System.Globalization.CultureInfo.InvariantCulture));
        _guest.SetDescriptor(Spare, TestGuest.Descriptor(attributes, 0x12345678));
        _guest.Rax = selector;
        AssemblerRegisterSegment register = columns[0] switch { "es" => es, "ss" => ss, "ds" => ds, "fs" => fs, _ => gs };
        int index = columns[0] switch { "es" => Segment.Es, "ss" => Segment.Ss, "ds" => Segment.Ds, "fs" => Segment.Fs, _ => Segment.Gs };
        ushort before = 0;

        Caught caught;
        if (columns[1] == "0")
        {
            before = TestGuest.KernelDs;
            caught = _guest.RunKernel(a => a.mov(register, eax));
        }
        else
        {
            before = TestGuest.UserDs;
            caught = _guest.RunUser(a => a.mov(register, eax));
        }

        if (columns[4] == "ok")
        {
            Assert.True(caught.Vector is -1 or TestGuest.UserEnd, caught.ToString());
            if (index != Segment.Ss)
            {
                Assert.Equal((selector, 0x12345678UL, uint.MaxValue), (_guest.State->Segments[index].Selector, _guest.State->Segments[index].Base, _guest.State->Segments[index].Limit));
            }

            Assert.Equal(TestGuest.Descriptor(attributes | 1, 0x12345678), _guest.Read(TestGuest.Gdt + Spare));
        }
        else
        {
            Assert.Equal($"{columns[4]}({Spare:x})", caught.ToString());
            Assert.Equal(TestGuest.Descriptor(attributes, 0x12345678), _guest.Read(TestGuest.Gdt + Spare));
            if (index != Segment.Ss)
            {
                Assert.Equal(before, _guest.State->Segments[index].Selector);
            }
        }
    }

    [Fact]
    public void A_selector_beyond_its_table_is_refused()
    {
        foreach ((ushort selector, string raised) in ((ushort, string)[])[(0x100, "13(100)"), (0x4C, "13(4c)")])
        {
            _guest.EnterKernel(TestGuest.Code);
            _guest.Rax = selector;
            Assert.Equal(raised, _guest.RunKernel(a => a.mov(ds, eax)).ToString());
        }
    }

    [Fact]
    public void The_null_selector_may_be_loaded_but_not_into_the_users_stack()
    {
        _guest.Rax = 3;
        Assert.Equal(TestGuest.UserEnd, _guest.RunUser(a => a.mov(ds, eax)).Vector);
        Assert.Equal("13(0)", _guest.RunUser(a => a.mov(ss, eax)).ToString());
        _guest.EnterKernel(TestGuest.Code);
        _guest.Rax = 0;
        Assert.Equal(-1, _guest.RunKernel(a => a.mov(ss, eax)).Vector);
        _guest.EnterKernel(TestGuest.Code);
        _guest.Rax = 3;
        Assert.Equal("13(0)", _guest.RunKernel(a => a.mov(ss, eax)).ToString());
    }

    [Fact]
    public void Lldt_loads_a_16_byte_descriptor_and_its_segments_can_be_used()
    {
        _guest.SetDescriptor(Spare, TestGuest.Descriptor(0x0082, (uint)TestGuest.Ldt, 0xF), 0);
        _guest.Write(TestGuest.Ldt + 8, TestGuest.Descriptor(0xC093, 0x777));
        _guest.Rax = Spare;
        _guest.Rbx = 0xC;

        Caught caught = _guest.RunKernel(a =>
        {
            a.lldt(ax);
            a.mov(gs, ebx);
            a.sldt(ecx);
        });

        Assert.Equal(-1, caught.Vector);
        Assert.Equal((0x777UL, (ulong)Spare), (_guest.State->Segments.Gs.Base, _guest.Rcx));
        _guest.Rbx = 0x14;
        _guest.EnterKernel(TestGuest.Code);
        Assert.Equal("13(14)", _guest.RunKernel(a => a.mov(gs, ebx)).ToString());
    }

    [Fact]
    public void Lldt_and_ltr_refuse_other_descriptors_and_keep_what_was_loaded()
    {
        _guest.State->Ldtr = new Segment { Selector = 0x60, Base = TestGuest.Ldt, Limit = 0xFF, Attributes = 0x82 };
        (string Name, ushort Selector, ulong Low, ulong High, bool Task, string Raised)[] cases =
        [
            ("lldt of data", Spare, TestGuest.Descriptor(0xC093), 0, false, "13(48)"),
            ("lldt of a tss", Spare, TestGuest.Descriptor(0x0089), 0, false, "13(48)"),
            ("lldt absent", Spare, TestGuest.Descriptor(0x0002), 0, false, "11(48)"),
            ("lldt of an ldt selector", Spare | 4, TestGuest.Descriptor(0x0082), 0, false, "13(4c)"),
            ("lldt whose second half has a type", Spare, TestGuest.Descriptor(0x0082), 0x0000_0200_0000_0000, false, "13(48)"),
            ("lldt with a base that is not canonical", Spare, TestGuest.Descriptor(0x0082), 0x8000_0000, false, "13(48)"),
            ("lldt at the end of the table", 0xF8, TestGuest.Descriptor(0x0082), 0, false, "13(f8)"),
            ("ltr of a busy tss", Spare, TestGuest.Descriptor(0x008B), 0, true, "13(48)"),
            ("ltr of an ldt", Spare, TestGuest.Descriptor(0x0082), 0, true, "13(48)"),
            ("ltr absent", Spare, TestGuest.Descriptor(0x0009), 0, true, "11(48)"),
            ("ltr null", 0, 0, 0, true, "13(0)"),
        ];
        foreach ((string name, ushort selector, ulong low, ulong high, bool task, string raised) in cases)
        {
            _guest.EnterKernel(TestGuest.Code);
            if (selector != 0)
            {
                _guest.SetDescriptor(selector, low, high);
            }

            _guest.Rax = selector;
            Caught caught = _guest.RunKernel(a =>
            {
                if (task)
                {
                    a.ltr(ax);
                }
                else
                {
                    a.lldt(ax);
                }
            });

            Assert.Equal($"{name}: {raised}", $"{name}: {caught}");
            Assert.Equal((0x60, TestGuest.TssSelector), (_guest.State->Ldtr.Selector, _guest.State->Tr.Selector));
        }
    }

    [Fact]
    public void Ltr_marks_the_tss_busy()
    {
        _guest.SetDescriptor(Spare, TestGuest.Descriptor(0x0089, 0xB000, 0x67), 0xFFFF_8000);
        _guest.Rax = Spare;

        Caught caught = _guest.RunKernel(a =>
        {
            a.ltr(ax);
            a.str(ecx);
        });

        Assert.Equal(-1, caught.Vector);
        Assert.Equal((0xFFFF_8000_0000_B000UL, (ulong)Spare), (_guest.State->Tr.Base, _guest.Rcx));
        Assert.Equal(TestGuest.Descriptor(0x008B, 0xB000, 0x67), _guest.Read(TestGuest.Gdt + Spare));
    }

    [Fact]
    public void System_registers_are_the_kernels()
    {
        (string Name, Action<Assembler> Program)[] cases =
        [
            ("lldt", a => a.lldt(ax)), ("ltr", a => a.ltr(ax)), ("lgdt", a => a.lgdt(__[rbx])), ("lidt", a => a.lidt(__[rbx])),
            ("mov cr0", a => a.mov(rax, cr0)), ("to cr4", a => a.mov(cr4, rax)), ("to cr8", a => a.mov(cr8, rax)), ("mov dr7", a => a.mov(rax, dr7)),
            ("rdmsr", a => a.rdmsr()), ("wrmsr", a => a.wrmsr()), ("hlt", a => a.hlt()), ("invlpg", a => a.invlpg(__[rbx])),
            ("clts", a => a.clts()), ("lmsw", a => a.lmsw(ax)), ("wbinvd", a => a.wbinvd()), ("invd", a => a.invd()),
            ("cli", a => a.cli()), ("sti", a => a.sti()), ("in", a => a.@in(al, 0x80)), ("out", a => a.@out(dx, al)), ("ins", a => a.insb()),
        ];
        foreach ((string name, Action<Assembler> program) in cases)
        {
            Caught caught = _guest.RunUser(program);

            Assert.Equal($"{name}: 13(0) {TestGuest.UserCode:x}", $"{name}: {caught} {caught.Ip:x}");
        }
    }

    [Fact]
    public void Umip_hides_the_tables_from_user_mode()
    {
        Assert.Equal(TestGuest.UserEnd, _guest.RunUser(a => a.smsw(eax)).Vector);
        _guest.SetCr4(Cr4.UMIP);
        Assert.Equal("13(0)", _guest.RunUser(a => a.smsw(eax)).ToString());
        Assert.Equal("13(0)", _guest.RunUser(a => a.sgdt(__[rsp - 64])).ToString());
        Assert.Equal("13(0)", _guest.RunUser(a => a.str(eax)).ToString());
    }

    [Theory]
    [InlineData(0xC093, 0, 0, "1 c09300 1 ffffffff 1 1")]
    [InlineData(0xC091, 0, 0, "1 c09100 1 ffffffff 1 0")]
    [InlineData(0x0093, 0, 0, "1 9300 1 fffff 1 1")]
    [InlineData(0xC093, 0, 3, "0 0 0 0 0 0")]
    [InlineData(0xC093, 3, 3, "0 0 0 0 0 0")]
    [InlineData(0xC0F3, 3, 3, "1 c0f300 1 ffffffff 1 1")]
    [InlineData(0xA09B, 0, 0, "1 a09b00 1 ffffffff 1 0")]
    [InlineData(0xA099, 0, 0, "1 a09900 1 ffffffff 0 0")]
    [InlineData(0xA09F, 3, 3, "1 a09f00 1 ffffffff 1 0")]
    [InlineData(0x0089, 0, 0, "1 8900 1 fffff 0 0")]
    [InlineData(0x008C, 0, 0, "1 8c00 0 0 0 0")]
    [InlineData(0x008E, 0, 0, "0 0 0 0 0 0")]
    [InlineData(0x0081, 0, 0, "0 0 0 0 0 0")]
    public void Lar_lsl_verr_verw_tell_what_may_be_used(int attributes, int cpl, int rpl, string expected)
    {
        _guest.SetDescriptor(Spare, TestGuest.Descriptor(attributes));
        _guest.Rbx = (ulong)(Spare | rpl);
        CpuState* s = _guest.State;
        s->R[8] = s->R[9] = 0;
        void Program(Assembler a)
        {
            a.lar(r8d, ebx);
            a.setz(r10b);
            a.lsl(r9d, ebx);
            a.setz(r11b);
            a.verr(bx);
            a.setz(r12b);
            a.verw(bx);
            a.setz(r13b);
        }

        Caught caught = cpl == 0 ? _guest.RunKernel(Program) : _guest.RunUser(Program);

        Assert.True(caught.Vector is -1 or TestGuest.UserEnd);
        Assert.Equal(expected, $"{(byte)s->R[10]} {s->R[8] & 0xF0FF00:x} {(byte)s->R[11]} {s->R[9]:x} {(byte)s->R[12]} {(byte)s->R[13]}");
    }

    [Fact]
    public void Far_return_reaches_user_mode_and_far_jump_32_bit_code()
    {
        _guest.Assemble(TestGuest.UserCode, a => a.@int(TestGuest.UserEnd));
        _guest.Rsp = TestGuest.KernelStack - 32;
        _guest.Write(_guest.Rsp, TestGuest.UserCode, TestGuest.UserCs, TestGuest.UserStack, TestGuest.UserDs);
        Assert.Equal(new Caught(TestGuest.UserEnd, 0, TestGuest.UserCode + 2, TestGuest.UserCs, 2, TestGuest.UserStack, TestGuest.UserDs, 0), _guest.RunKernel(a => a.db(0x48, 0xCB)));

        _guest.EnterKernel(TestGuest.Code);
        ulong target = TestGuest.Code + 0x100;
        _guest.Assemble(32, target, target, a => a.ud2());
        _guest.Write(TestGuest.Data, target | ((ulong)TestGuest.KernelCs32 << 32));
        _guest.Rbx = TestGuest.Data;
        Caught caught = _guest.RunKernel(a => a.db(0xFF, 0x2B));
        Assert.Equal((6, target, TestGuest.KernelCs32), (caught.Vector, caught.Ip, caught.Cs));
    }

    [Fact]
    public void Far_call_pushes_the_segment_and_far_return_comes_back()
    {
        ulong target = TestGuest.Code + 0x100;
        _guest.Assemble(target, a =>
        {
            a.mov(ecx, __[rsp]);
            a.mov(edx, __[rsp + 4]);
            a.db(0xCB);
        });
        _guest.Write(TestGuest.Data, target | ((ulong)TestGuest.KernelCs << 32));
        _guest.Rbx = TestGuest.Data;

        Caught caught = _guest.RunKernel(a => a.db(0xFF, 0x1B));

        Assert.Equal((-1, TestGuest.Code + 2, TestGuest.KernelStack), (caught.Vector, caught.Ip, caught.Sp));
        Assert.Equal((TestGuest.Code + 2, (ulong)TestGuest.KernelCs), (_guest.Rcx, _guest.Rdx));
    }

    [Fact]
    public void A_users_far_call_may_not_write_the_kernels_pages()
    {
        _guest.Write(TestGuest.UserData, TestGuest.UserCode | ((ulong)TestGuest.UserCs << 32));
        _guest.Rbx = TestGuest.UserData;
        _guest.Assemble(TestGuest.UserCode, a => a.db(0xFF, 0x1B));
        _guest.EnterUser();
        _guest.Rsp = TestGuest.Data + 0x100;

        Caught caught = _guest.Run();

        Assert.Equal("14(7)", caught.ToString());
        Assert.Equal(0UL, _guest.Read(TestGuest.Data + 0xF8));
        Assert.Equal(TestGuest.Data + 0x100, caught.Sp);
    }

    [Fact]
    public void Far_jumps_refuse_what_the_manual_says()
    {
        _guest.SetDescriptor(Spare, TestGuest.Descriptor(0xA01B), TestGuest.Descriptor(0xE09B), TestGuest.Descriptor(0xC09B, 0, 0));
        (string Name, ushort Selector, ulong Offset, string Raised)[] cases =
        [
            ("null", 0, TestGuest.Code, "13(0)"),
            ("beyond", 0x400, TestGuest.Code, "13(400)"),
            ("data", TestGuest.KernelDs, TestGuest.Code, "13(10)"),
            ("user code", TestGuest.UserCs, TestGuest.Code, "13(28)"),
            ("rpl", TestGuest.KernelCs | 3, TestGuest.Code, "13(8)"),
            ("absent", Spare, TestGuest.Code, "11(48)"),
            ("both sizes", Spare + 8, TestGuest.Code, "13(50)"),
            ("beyond the limit", Spare + 16, 0x100000, "13(0)"),
        ];
        foreach ((string name, ushort selector, ulong offset, string raised) in cases)
        {
            _guest.EnterKernel(TestGuest.Code);
            _guest.Write(TestGuest.Data, offset | ((ulong)selector << 32));
            _guest.Rbx = TestGuest.Data;

            Caught caught = _guest.RunKernel(a => a.db(0xFF, 0x2B));

            Assert.Equal($"{name}: {raised} {TestGuest.Code:x}", $"{name}: {caught} {caught.Ip:x}");
        }
    }

    [Theory]
    [InlineData(0x66, 3, "13(0)")]
    [InlineData(0x67, 0x80, "13(0)")]
    [InlineData(0x88, 0x80, "128")]
    [InlineData(0x88, 0x81, "13(0)")]
    [InlineData(0x88, 0x7F, "128")]
    [InlineData(0x88, 0xFF, "13(0)")]
    public void The_port_map_of_the_tss_opens_single_ports(int limit, int port, string raised)
    {
        _guest.State->Tr.Limit = (uint)limit;
        for (ulong at = TestGuest.Tss + 0x68; at < TestGuest.Tss + 0x100; at += 8)
        {
            _guest.Write(at, ulong.MaxValue);
        }

        _guest.Write(TestGuest.Tss + 0x68 + 0x10, new byte[] { 0xFE });
        _guest.Write(TestGuest.Tss + 0x68 + 0xF, new byte[] { 0x7F });
        _guest.Rdx = (ulong)port;

        Assert.Equal(raised, _guest.RunUser(a => a.@in(al, dx)).ToString());
    }

    [Fact]
    public void Io_privilege_opens_all_ports_and_wide_accesses_need_all_their_bits()
    {
        _guest.State->Tr.Limit = 0x88;
        _guest.Rdx = 0x10;
        Assert.Equal(TestGuest.UserEnd, _guest.RunUser(a => a.@in(eax, dx)).Vector);
        _guest.Write(TestGuest.Tss + 0x68 + 2, new byte[] { 8 });
        Assert.Equal("13(0)", _guest.RunUser(a => a.@in(eax, dx)).ToString());
        _guest.Assemble(TestGuest.UserCode, a =>
        {
            a.@in(eax, dx);
            a.@int(TestGuest.UserEnd);
        });
        _guest.EnterUser();
        _guest.Flags = Rflags.IOPL | 2;
        Assert.Equal(TestGuest.UserEnd, _guest.Run().Vector);
    }
}
