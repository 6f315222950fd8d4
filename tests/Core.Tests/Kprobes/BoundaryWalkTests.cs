using KprobeTrace.Guest;
using KprobeTrace.Kprobes;
using KprobeTrace.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>Where instructions begin, with and without what a guest wrote over them; what returns and calls look like.</summary>
public sealed class BoundaryWalkTests
{
    private const ulong Start = PaperKernel.Base + 0x100;

    /// <summary>Instructions of every length from 1 to 11 bytes.</summary>
    private static readonly string[] _instructions =
    [
        "90", "89F8", "4889E5", "8B442408", "B878563412", "8B0578563412", "48C7C078563412", "48C7402078563412",
        "48C7442408785634", "48B8EFCDAB8967452301", "48C70578563412EFCDAB89",
    ];

    private readonly PaperKernel _kernel = new();
    private readonly InstructionBoundary _boundary;

    public BoundaryWalkTests() => _boundary = new InstructionBoundary(new DecoderLength(), _kernel, _kernel.Text);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Instructions_begin_where_they_were_written_also_under_what_the_guest_put_over_them(int seed)
    {
        Random random = new(seed);
        List<ulong> starts = WriteProgram(random, 700);
        ulong end = starts[^1];
        AssertBoundaries(starts, end);

        // An int3 stands for the instruction's first byte, a jump of five bytes for all instructions that it covers in part.
        _kernel.BecomesOriginal();
        HashSet<ulong> left = [.. starts];
        for (ulong at = Start; at < end - 32;)
        {
            if (random.Next(4) == 0 && starts.Contains(at))
            {
                bool jump = random.Next(2) == 0;
                _kernel.Write(at, jump ? [0xE9, 1, 2, 3, 4] : [0xCC]);
                left.RemoveWhere(s => jump && s > at && s < at + 5);
                at += 16;
            }
            else
            {
                at++;
            }
        }

        AssertBoundaries(left, end);
    }

    [Fact]
    public void Where_no_image_tells_an_int3_is_an_instruction_of_one_byte()
    {
        _kernel.Write(Start, [0xCC, 0x90, 0xB8, 1, 2, 3, 4, 0xC3, .. new byte[300]]);

        AssertBoundaries([Start, Start + 1, Start + 2, Start + 7], Start + 7);
    }

    [Fact]
    public void An_int3_or_jump_that_the_image_has_is_what_it_is()
    {
        _kernel.Write(Start, [0xCC, 0xE9, 1, 2, 3, 4, 0xB8, 1, 2, 3, 4, 0xC3, .. new byte[300]]);
        _kernel.BecomesOriginal();

        AssertBoundaries([Start, Start + 1, Start + 6, Start + 11], Start + 11);
    }

    [Fact]
    public void A_walk_ends_where_nothing_is_mapped_or_nothing_decodes()
    {
        const ulong page = PaperKernel.Base + 0x1000;
        for (ulong at = page - 100; at < page; at++)
        {
            _kernel.Write(at, 0x90);
        }

        Assert.True(_boundary.IsBoundary(page - 100, page - 1));
        Assert.True(_boundary.IsBoundary(page - 100, page));
        Assert.False(_boundary.IsBoundary(page - 100, page + 1));
        Assert.Equal((byte[])[0x90], _boundary.Copy(page - 1));
        Assert.Empty(_boundary.Copy(page));

        // A byte that is no instruction in 64-bit mode, and one whose end is not there.
        _kernel.Write(page - 50, 0x06);
        Assert.True(_boundary.IsBoundary(page - 100, page - 50));
        Assert.False(_boundary.IsBoundary(page - 100, page - 49));
        Assert.Empty(_boundary.Copy(page - 50));
        _kernel.Write(page - 2, 0xB8);
        Assert.Empty(_boundary.Copy(page - 2));
    }

    [Fact]
    public void Every_instruction_is_copied_as_it_stands()
    {
        foreach (string instruction in _instructions)
        {
            byte[] bytes = Convert.FromHexString(instruction + (instruction.Length == 16 && instruction.EndsWith("785634", StringComparison.Ordinal) ? "12" : ""));
            _kernel.Write(Start, [.. bytes, .. new byte[300]]);

            Assert.Equal(bytes, _boundary.Copy(Start));
        }
    }

    [Fact]
    public void Returns_that_take_bytes_off_the_stack_are_found_in_a_function()
    {
        // ret 8; nop; mov eax, 0x1234C2 (no return); ret 0x1234; ret
        _kernel.Write(Start, [0xC2, 8, 0, 0x90, 0xB8, 0xC2, 0x34, 0x12, 0, 0xC2, 0x34, 0x12, 0xC3, .. new byte[300]]);

        Assert.Equal((ushort[])[8, 0x1234], _boundary.ReturnImmediates(Start, 13));
        Assert.Equal((ushort[])[8, 0x1234], _boundary.ReturnImmediates(Start, 10));
        Assert.Equal((ushort[])[8], _boundary.ReturnImmediates(Start, 9));
        Assert.Equal((ushort[])[8], _boundary.ReturnImmediates(Start, 1));
        Assert.Empty(_boundary.ReturnImmediates(Start, 0));

        _kernel.Write(Start + 3, 0x06);
        Assert.Equal((ushort[])[8], _boundary.ReturnImmediates(Start, 13));
        _kernel.Write(Start, 0xC8, 8, 0, 0); // enter
        Assert.Equal((ushort[])[0x1234], _boundary.ReturnImmediates(Start, 13));
    }

    [Theory]
    [InlineData(65535, true)]
    [InlineData(65536, false)]
    public void Returns_are_looked_for_in_64_KiB(int at, bool isFound)
    {
        _kernel.Write(Start, [.. Enumerable.Repeat((byte)0x90, at), 0xC2, 8, 0, .. new byte[300]]);

        Assert.Equal(isFound ? [8] : [], _boundary.ReturnImmediates(Start, 1 << 20));
    }

    [Theory]
    [InlineData("E800000000", true)]
    [InlineData("E900000000", false)]
    [InlineData("FFD0", true)] // call rax
    [InlineData("41FFD3", true)] // call r11
    [InlineData("FF5008", true)] // call [rax+8]
    [InlineData("FF542408", true)] // call [rsp+8]
    [InlineData("FF1578563412", true)] // call [rip+0x12345678]
    [InlineData("FF942478563412", true)] // call [rsp+0x12345678]
    [InlineData("41FF942478563412", true)] // call [r12+0x12345678]
    [InlineData("2EFFD0", true)]
    [InlineData("3EFFD0", true)]
    [InlineData("3E41FFD3", true)]
    [InlineData("2FFFD0", true)] // the call is what ends there
    [InlineData("FFE0", false)] // jmp rax
    [InlineData("FFD8", false)] // call far, which takes no register
    [InlineData("FFC8", false)] // dec eax
    [InlineData("FF2578563412", false)]
    [InlineData("FFD090", false)]
    [InlineData("FF50", false)] // cut off
    [InlineData("90", false)]
    public void A_call_is_known_by_its_end(string code, bool isCall)
    {
        byte[] bytes = Convert.FromHexString(code);
        ulong end = Start + 64;
        _kernel.Write(Start, [.. Enumerable.Repeat((byte)0x90, 100)]);
        _kernel.Write(end - (ulong)bytes.Length, bytes);
        Assert.Equal(isCall, _boundary.FollowsCall(end));
        Assert.False(_boundary.FollowsCall(end + 9));

        // Under an int3 the image still tells.
        _kernel.BecomesOriginal();
        _kernel.Write(end - (ulong)bytes.Length, [.. Enumerable.Repeat((byte)0xCC, bytes.Length)]);
        Assert.Equal(isCall, _boundary.FollowsCall(end));
        _kernel.Bytes.Clear();
        Assert.Equal(isCall, _boundary.FollowsCall(end));
        _kernel.Text.Originals.Clear();
        Assert.False(_boundary.FollowsCall(end));
    }

    [Fact]
    public void Of_a_text_that_says_nothing_else_symbols_are_known_and_originals_are_not()
    {
        IKernelText text = new Silent();

        Assert.True(text.HasSymbols);
        Assert.False(text.TryReadOriginal(0, new byte[1]));
        Assert.False(text.IsReturnTrampoline(0));
    }

    private List<ulong> WriteProgram(Random random, int length)
    {
        List<ulong> starts = [];
        ulong at = Start;
        while (at < Start + (ulong)length)
        {
            string instruction = _instructions[random.Next(_instructions.Length)];
            byte[] bytes = Convert.FromHexString(instruction + (instruction == "48C7442408785634" ? "12" : ""));
            starts.Add(at);
            _kernel.Write(at, bytes);
            at += (ulong)bytes.Length;
        }

        starts.Add(at);
        _kernel.Write(at, [.. Enumerable.Repeat((byte)0x90, 300)]);
        return starts;
    }

    private void AssertBoundaries(IEnumerable<ulong> starts, ulong last)
    {
        HashSet<ulong> expected = [.. starts];
        for (ulong at = Start; at <= last; at++)
        {
            Assert.True(expected.Contains(at) == _boundary.IsBoundary(Start, at), $"at {at - Start}");
        }
    }

    private sealed class Silent : IKernelText
    {
        public IReadOnlyList<GuestRange> Blacklist => [];

        public bool TryResolve(string name, out ulong address)
        {
            address = 0;
            return false;
        }

        public bool TryFindSymbol(ulong address, out Symbol symbol)
        {
            symbol = default;
            return false;
        }

        public KernelTextKind Classify(ulong address) => KernelTextKind.None;

        public bool IsBugSite(ulong address) => false;

        public bool IsJumpLabel(ulong address) => false;
    }
}
