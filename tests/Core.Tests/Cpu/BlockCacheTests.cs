using System.Runtime.InteropServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;
using Xunit;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Blocks whose handlers are not compiled when they are decoded: they get the code once it is there.</summary>
public sealed unsafe class BlockCacheTests : IDisposable
{
    private readonly PhysicalMemory _memory = new(0x10000);
    private readonly Tlb _tlb = new();
    private readonly JumpCache _jumpCache = new();
    private readonly CpuState* _state = (CpuState*)NativeMemory.AllocZeroed((nuint)sizeof(CpuState));
    private readonly LateHandler _handler = new();
    private readonly BlockCache _cache;
    private readonly BlockLookUp _lookUp;

    public BlockCacheTests()
    {
        _cache = new BlockCache(_memory);
        _lookUp = _cache.Attach(_state, _tlb, _jumpCache, _handler);
    }

    public void Dispose()
    {
        _lookUp.Dispose();
        _cache.Dispose();
        _jumpCache.Dispose();
        _tlb.Dispose();
        _memory.Dispose();
        NativeMemory.Free(_state);
    }

    [Fact]
    public void A_block_has_the_stub_of_its_handler_until_that_is_compiled()
    {
        Block* first = _lookUp.Find(0x1000, 0x1000, 0);
        Block* second = _lookUp.Find(0x2000, 0x2000, 0);
        _cache.ResolveHandlers();
        Assert.Equal((_handler.Stub, _handler.Stub), (HandlerOf(first), HandlerOf(second)));

        _handler.Compile();
        Assert.Equal((_handler.Stub, _handler.Stub), (HandlerOf(first), HandlerOf(second)));

        _cache.ResolveHandlers();
        Assert.Equal((_handler.Code, _handler.Code), (HandlerOf(first), HandlerOf(second)));
    }

    [Fact]
    public void A_block_has_the_code_of_its_handler_at_once_where_that_is_compiled()
    {
        _handler.Compile();

        Assert.Equal(_handler.Code, HandlerOf(_lookUp.Find(0x1000, 0x1000, 0)));
    }

    [Fact]
    public void The_room_of_blocks_that_were_dropped_is_not_written_to()
    {
        Block* dropped = _lookUp.Find(0x1000, 0x1000, 0);
        _cache.Clear();
        _handler.Compile();

        _cache.ResolveHandlers();

        Assert.Equal(_handler.Stub, HandlerOf(dropped));
    }

    private static nint HandlerOf(Block* block) => (nint)Block.First(block)->Handler;

    /// <summary>
    /// Decodes anything as one operation of a handler that has yet to be compiled: <c>jmp [rip+disp32]</c> through a variable, which
    /// leads behind the jump until then. None of it is ever executed.
    /// </summary>
    private sealed class LateHandler : IBlockSource
    {
        private const int StubLength = 6;
        private const int VariableAt = 16;
        private const int CodeAt = 32;

        private readonly byte[] _bytes = GC.AllocateArray<byte>(CodeAt + 8, pinned: true);

        public LateHandler()
        {
            _bytes[0] = 0xFF;
            _bytes[1] = 0x25;
            _bytes[2] = VariableAt - StubLength;
            Assert.True(BitConverter.TryWriteBytes(_bytes.AsSpan(VariableAt), (long)Stub + StubLength));
            _bytes[CodeAt] = 0xC3;
        }

        public nint Stub => Marshal.UnsafeAddrOfPinnedArrayElement(_bytes, 0);

        public nint Code => Stub + CodeAt;

        public void Compile() => Assert.True(BitConverter.TryWriteBytes(_bytes.AsSpan(VariableAt), (long)Code));

        public bool Decode(ulong rip, ulong physical, int mode, int limit, bool overlay, Block* into)
        {
            *into = new Block { Ip = rip, Physical = physical, Mode = mode, SecondPage = ulong.MaxValue, Count = 1, Operations = 1 };
            *Block.First(into) = new Op { Handler = (delegate*<CpuState*, Op*, Op*>)Stub, Remaining = 1 };
            return true;
        }
    }
}
