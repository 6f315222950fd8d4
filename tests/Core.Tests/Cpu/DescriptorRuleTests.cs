using KprobeTrace.Cpu.State;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>
/// Every kind of descriptor, at every privilege, against the rules of the instructions that load or examine one (Intel SDM vol. 2: MOV,
/// JMP, RET, IRET, LAR, LSL, VERR, VERW; vol. 3A §5.5 to §5.10).
/// </summary>
public sealed unsafe class DescriptorRuleTests : IDisposable
{
    private const ushort Spare = TestGuest.Spare;
    private const ulong Target = TestGuest.UserCode + 0x400;
    private const uint Base = 0x12345678;

    /// <summary>First of four writable data segments, one a privilege.</summary>
    private const ushort Stacks = Spare + 8;

    private readonly TestGuest _guest = new();

    public DescriptorRuleTests()
    {
        for (int dpl = 0; dpl < 4; dpl++)
        {
            _guest.SetDescriptor((ushort)(Stacks + (8 * dpl)), TestGuest.Descriptor(0xC093 | (dpl << 5)));
        }
    }

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(0xC0, Segment.Es)]
    [InlineData(0xD0, Segment.Ss)]
    [InlineData(0xD8, Segment.Ds)]
    [InlineData(0xE0, Segment.Fs)]
    [InlineData(0xE8, Segment.Gs)]
    public void Segment_registers_take_what_they_may(byte operand, int index)
    {
        _guest.Write(Target, [0x8E, operand]); // mov sreg,eax
        foreach (Kind kind in Kinds(0xC000))
        {
            Enter(kind);
            _guest.Rax = kind.Selector;
            bool conforming = kind.IsCode && (kind.Type & 4) != 0;
            bool allowed = index == Segment.Ss
                ? kind.IsWritableData && kind.Rpl == kind.Cpl && kind.Dpl == kind.Cpl
                : kind.IsReadable && (conforming || (kind.Rpl <= kind.Dpl && kind.Cpl <= kind.Dpl));
            string expected = !allowed ? "13(48)"
                : kind.IsPresent ? "none"
                : index == Segment.Ss ? "12(48)" : "11(48)";

            string raised = Step();

            Assert.Equal((kind, expected), (kind, raised));
            Segment loaded = _guest.State->Segments[index];
            if (expected == "none")
            {
                Assert.Equal(
                    (kind, kind.Selector, (ulong)Base, uint.MaxValue, kind.Attributes | 1),
                    (kind, loaded.Selector, loaded.Base, loaded.Limit, (int)loaded.Attributes));
            }
            else if (index != Segment.Ss)
            {
                Assert.NotEqual((kind, kind.Selector), (kind, loaded.Selector));
            }

            AssertAccessed(kind, expected == "none");
        }
    }

    [Fact]
    public void Far_jumps_go_where_they_may()
    {
        _guest.Write(Target, [0xFF, 0x2B]); // jmp far [rbx]
        _guest.Rbx = TestGuest.UserData;
        foreach (Kind kind in CodeKinds())
        {
            Enter(kind);
            _guest.Write(TestGuest.UserData, (Target + 0x10) | ((ulong)kind.Selector << 32));
            bool allowed = kind.IsCode && !kind.HasBothSizes
                && ((kind.Type & 4) != 0 ? kind.Dpl <= kind.Cpl : kind.Dpl == kind.Cpl && kind.Rpl <= kind.Cpl);

            AssertTransfer(kind, allowed, (ushort)(Spare | kind.Cpl));
        }
    }

    [Theory]
    [InlineData(0xCB)] // retf
    [InlineData(0xCF)] // iret
    public void Far_returns_go_where_they_may(byte opcode)
    {
        _guest.Write(Target, [0x48, opcode]);
        foreach (Kind kind in CodeKinds())
        {
            Enter(kind);
            ulong stack = (ulong)(Stacks + (9 * kind.Rpl));
            _guest.Rsp -= 64;
            ulong sp = _guest.Rsp;
            ulong[] outer = [TestGuest.UserStack - 0x100, stack];
            _guest.Write(sp, opcode == 0xCB ? [Target + 0x10, kind.Selector, .. outer] : [Target + 0x10, kind.Selector, 2, .. outer]);
            bool allowed = kind.IsCode && !kind.HasBothSizes && kind.Rpl >= kind.Cpl
                && ((kind.Type & 4) != 0 ? kind.Dpl <= kind.Rpl : kind.Dpl == kind.Rpl);

            bool went = AssertTransfer(kind, allowed, kind.Selector);

            bool isInner = opcode == 0xCB && kind.Rpl == kind.Cpl;
            Assert.Equal((kind, went ? kind.Rpl : 0), (kind, (int)_guest.State->Cpl));
            if (went)
            {
                Assert.Equal((kind, isInner ? sp + 16 : outer[0]), (kind, _guest.Rsp));
                Assert.Equal((kind, isInner ? StackOf(kind.Cpl) : (ushort)stack), (kind, _guest.State->Segments.Ss.Selector));
            }
        }
    }

    [Theory]
    [InlineData(0x02)] // lar ecx,eax
    [InlineData(0x03)] // lsl ecx,eax
    [InlineData(0x00, 0xE0)] // verr ax
    [InlineData(0x00, 0xE8)] // verw ax
    public void Selectors_are_examined_as_they_would_be_used(byte opcode, byte operand = 0xC8)
    {
        const ulong Unchanged = 0x1122_3344_5566_7788;
        _guest.Write(Target, [0x0F, opcode, operand]);
        foreach (Kind kind in Kinds(0x4000).Concat(Kinds(0x9000)))
        {
            Enter(kind);
            _guest.Rax = kind.Selector;
            _guest.Rcx = Unchanged;
            bool reached = (kind.IsCode && (kind.Type & 4) != 0) || (kind.Cpl <= kind.Dpl && kind.Rpl <= kind.Dpl);
            bool valid = reached && (opcode, operand) switch
            {
                (0x02, _) => kind.IsSegment || kind.Type is 2 or 9 or 0xB or 0xC,
                (0x03, _) => kind.IsSegment || kind.Type is 2 or 9 or 0xB,
                (_, 0xE0) => kind.IsReadable,
                _ => kind.IsWritableData,
            };
            ulong result = !valid || opcode == 0 ? Unchanged
                : opcode == 0x03 ? (kind.Attributes & 0x8000) != 0 ? 0xFFFF_FFFF : 0xF_FFFFUL
                : (ulong)kind.Attributes << 8;
            ulong mask = opcode == 0x02 && valid ? 0xFFFF_FFFF_FFF0_FFFF : ulong.MaxValue;

            Assert.Equal((kind, "none"), (kind, Step()));

            Assert.Equal((kind, valid, result), (kind, (_guest.Flags & Rflags.ZF) != 0, _guest.Rcx & mask));
            AssertAccessed(kind, false);
        }
    }

    /// <summary>All types at all privileges, present and absent, with the attributes that are given.</summary>
    private static IEnumerable<Kind> Kinds(int more)
    {
        for (int i = 0; i < 32 * 4 * 2 * 4 * 2; i++)
        {
            int attributes = more | (i & 0x1F) | ((i >> 5 & 3) << 5) | ((i >> 7 & 1) << 7);
            yield return new Kind(attributes, i >> 8 & 3, (i >> 10 & 1) * 3);
        }
    }

    /// <summary>64-bit code, 32-bit code, and what claims to be both; without gates for calls, which are left to a test of theirs.</summary>
    private static IEnumerable<Kind> CodeKinds() =>
        Kinds(0xA000).Concat(Kinds(0xC000)).Concat(Kinds(0xE000)).Where(static kind => kind.IsSegment || kind.Type != 0xC);

    private static ushort StackOf(int cpl) => cpl == 0 ? TestGuest.KernelDs : TestGuest.UserDs;

    /// <summary>Lays the descriptor and puts the processor before the instruction.</summary>
    private void Enter(Kind kind)
    {
        _guest.SetDescriptor(Spare, TestGuest.Descriptor(kind.Attributes, Base));
        _guest.EnterUser(Target);
        if (kind.Cpl == 0)
        {
            CpuState* s = _guest.State;
            s->Segments.Cs = new Segment { Selector = TestGuest.KernelCs, Limit = uint.MaxValue, Attributes = 0xA09B };
            s->Segments.Ss = new Segment { Selector = TestGuest.KernelDs, Limit = uint.MaxValue, Attributes = 0xC093 };
            s->Cpl = 0;
            s->R[4] = TestGuest.KernelStack;
            _guest.Processor.UpdateMode();
        }
    }

    /// <summary>Executes the instruction and tells what it raised, at itself.</summary>
    private string Step()
    {
        CpuState* s = _guest.State;
        _guest.Processor.SingleStep();
        ulong vector = (s->Rip - TestGuest.Handlers) / 16;
        if (vector >= 256 || s->Cpl != 0)
        {
            return "none";
        }

        Assert.Equal(Target, _guest.Read(_guest.Rsp + 8));
        return FormattableString.Invariant($"{vector}({_guest.Read(_guest.Rsp):x})");
    }

    private bool AssertTransfer(Kind kind, bool allowed, ushort selector)
    {
        // The target lies in the segment, whose offset is a linear address where code is 64 bits wide.
        bool wide = (kind.Attributes & Segment.Code64) != 0;
        string expected = !allowed ? "13(48)" : kind.IsPresent ? "none" : "11(48)";

        string raised = Step();

        Assert.Equal((kind, expected), (kind, raised));
        AssertAccessed(kind, expected == "none");
        if (expected != "none")
        {
            return false;
        }

        Segment code = _guest.State->Segments.Cs;
        Assert.Equal(
            (kind, selector, kind.Attributes | 1, Target + 0x10 + (wide ? 0 : Base)), (kind, code.Selector, (int)code.Attributes, _guest.State->Rip));
        return true;
    }

    private void AssertAccessed(Kind kind, bool accessed) =>
        Assert.Equal((kind, TestGuest.Descriptor(kind.Attributes | (accessed ? 1 : 0), Base)), (kind, _guest.Read(TestGuest.Gdt + Spare)));

    private readonly record struct Kind(int Attributes, int Rpl, int Cpl)
    {
        public ushort Selector => (ushort)(Spare | Rpl);

        public int Type => Attributes & 0xF;

        public bool IsSegment => (Attributes & 0x10) != 0;

        public bool IsCode => IsSegment && Type >= 8;

        public bool IsReadable => IsSegment && (Type < 8 || (Type & 2) != 0);

        public bool IsWritableData => IsSegment && Type < 8 && (Type & 2) != 0;

        public int Dpl => Attributes >> 5 & 3;

        public bool IsPresent => (Attributes & 0x80) != 0;

        public bool HasBothSizes => (Attributes & 0x6000) == 0x6000;
    }
}
