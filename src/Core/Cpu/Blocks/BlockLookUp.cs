using System.Runtime.InteropServices;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.Blocks;

/// <summary>
/// One processor's way to the blocks that all share, and what it keeps of them for itself: its jump cache, the branch it left by, the
/// block that lasts until it looks again.
/// </summary>
internal sealed unsafe class BlockLookUp : IDisposable
{
    /// <summary>Bytes a block takes at most, its header included.</summary>
    private static readonly int _maxBytes = sizeof(Block) + (Block.MaxOperations * sizeof(Op)) + TailCalls.TableBytes(Block.MaxOperations);

    private readonly BlockCache _cache;
    private readonly CpuState* _state;
    private readonly Tlb _tlb;
    private readonly JumpCache _jumpCache;
    private readonly IBlockSource _source;
    private Block* _scratch;

    /// <summary>Called by <see cref="BlockCache.Attach"/>.</summary>
    public BlockLookUp(BlockCache cache, CpuState* state, Tlb tlb, JumpCache jumpCache, IBlockSource source)
    {
        _cache = cache;
        _state = state;
        _tlb = tlb;
        _jumpCache = jumpCache;
        _source = source;
        _scratch = (Block*)NativeMemory.AlignedAlloc((nuint)_maxBytes, 64);
    }

    ~BlockLookUp() => Free();

    /// <summary>The block at an address in a mode, decoded now if need be; null with a fault pending.</summary>
    public Block* Find(ulong rip, ulong physical, int mode)
    {
        Block* found = _cache.Find(rip, physical, mode);
        if (found != null)
        {
            return found;
        }

        if (!_source.Decode(rip, physical, mode, Block.MaxInstructions, overlay: true, _scratch))
        {
            return null;
        }

        return _cache.CanKeep(_scratch) ? _cache.Add(_scratch) : _scratch;
    }

    /// <summary>Whether a block that <see cref="Find"/> gave is good for longer than until the next call, so that it may be pointed to.</summary>
    public bool Keeps(Block* block) => block != _scratch;

    /// <summary>A block of at most <paramref name="count"/> instructions, good until the next call; null with a fault pending.</summary>
    public Block* DecodePartial(ulong rip, ulong physical, int mode, int count, bool overlay) =>
        _source.Decode(rip, physical, mode, Math.Min(count, Block.MaxInstructions), overlay, _scratch) ? _scratch : null;

    /// <summary>The instruction under a breakpoint as a block of its own; null with a fault pending.</summary>
    /// <param name="rip">Where it begins.</param>
    /// <param name="physical">Where that is in memory.</param>
    /// <param name="mode">The mode to decode for.</param>
    /// <param name="lasting">Whether the block is kept for as long as its page's code is, and not just until the next call.</param>
    public Block* DecodeSingle(ulong rip, ulong physical, int mode, out bool lasting)
    {
        Block* block = DecodePartial(rip, physical, mode, 1, overlay: false);
        lasting = block != null && _cache.CanKeep(block);
        return lasting ? _cache.AddUnfound(block) : block;
    }

    /// <summary>Forgets where a block is: it is dropped.</summary>
    public void Forget(Block* block)
    {
        ForgetJump(block, user: true);
        ForgetJump(block, user: false);
    }

    /// <summary>Has the processor leave what it runs and link nothing to where it came from: one or the other may have been dropped.</summary>
    public void LeaveDropped()
    {
        _state->Host.LinkFrom = null;
        _state->ExitRequest = 1;
    }

    /// <summary>Forgets where all blocks are: they are dropped.</summary>
    public void ForgetAll()
    {
        _jumpCache.Flush();
        _state->Host.LinkFrom = null;
    }

    /// <summary>Makes the processor's next store to a physical page take the slow path: its bytes have been decoded.</summary>
    public void ProtectHostPage(byte* hostPage) => _tlb.ProtectHostPage(hostPage);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void ForgetJump(Block* block, bool user)
    {
        uint index = JumpCache.IndexOf(block->Ip);
        JumpCacheEntry* entry = _jumpCache.Table(user) + index;
        if (entry->Target == Block.First(block))
        {
            JumpCache.Forget(entry, index);
        }
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_scratch);
        _scratch = null;
    }
}
