using System.Runtime.InteropServices;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.Blocks;

/// <summary>Decoded blocks, found by physical address, linear address and mode, and dropped when their page is written.</summary>
/// <remarks>
/// One for all processors of a machine: nothing in a block is a processor's own, so that any may run what another has decoded. A link
/// leads from block to block within one page, by its linear and by its physical address, and so holds for whoever runs the first of them.
/// What a processor keeps of blocks for itself stands in its <see cref="BlockLookUp"/>; all of them are told of what is dropped.
/// </remarks>
internal sealed unsafe class BlockCache : IDisposable
{
    private const int Buckets = 1 << 16;
    private const int ChunkSize = 1 << 20;
    private const int MaxChunks = 128;

    /// <summary>Blocks whose handlers are asked for again; when there are more, all of them keep their stubs, which are right as well.</summary>
    private const int MaxUnresolved = 1 << 15;

    /// <summary>Bits of <see cref="PhysicalMemory.CodePages"/>: code of the page is decoded, its writes are watched.</summary>
    private const byte Decoded = 1;
    private const byte Watched = 2;

    private readonly PhysicalMemory _memory;
    private readonly Block** _buckets;
    private readonly Block** _pages;
    private readonly List<nint> _chunks = [];

    /// <summary>Blocks with handlers that had not been compiled when they were decoded.</summary>
    private readonly List<nint> _unresolved = [];

    /// <summary>Blocks of pages that were written, by their number of operations: room for what is decoded next.</summary>
    private readonly Block** _dropped;
    private BlockLookUp[] _lookUps = [];
    private byte* _free;
    private int _freeBytes;
    private int _chunk = -1;

    public BlockCache(PhysicalMemory memory)
    {
        _memory = memory;
        _buckets = (Block**)NativeMemory.AllocZeroed(Buckets, (nuint)sizeof(nint));
        _pages = (Block**)NativeMemory.AllocZeroed((nuint)(memory.Size / PhysicalMemory.PageSize), (nuint)sizeof(nint));
        _dropped = (Block**)NativeMemory.AllocZeroed(Block.MaxOperations + 1, (nuint)sizeof(nint));
    }

    ~BlockCache() => Free();

    /// <summary>Changes whenever blocks are dropped: pointers into blocks from before are then stale.</summary>
    public int Generation { get; private set; }

    /// <summary>Stretches of <see cref="ChunkSize"/> bytes that decoded code takes.</summary>
    public int Chunks => _chunks.Count;

    /// <summary>Makes the look-up of one more processor.</summary>
    /// <param name="state">The processor's state.</param>
    /// <param name="tlb">Its translations of data.</param>
    /// <param name="jumpCache">Where it finds blocks by their linear address alone.</param>
    /// <param name="source">Decodes for it.</param>
    public BlockLookUp Attach(CpuState* state, Tlb tlb, JumpCache jumpCache, IBlockSource source)
    {
        BlockLookUp lookUp = new(this, state, tlb, jumpCache, source);
        _lookUps = [.. _lookUps, lookUp];
        return lookUp;
    }

    /// <summary>The block at an address in a mode; null when it is not decoded.</summary>
    public Block* Find(ulong rip, ulong physical, int mode)
    {
        Block** bucket = &_buckets[Hash(physical, rip, mode)];
        for (Block** at = bucket; *at != null; at = &(*at)->NextInBucket)
        {
            Block* b = *at;
            if (b->Physical == physical && b->Ip == rip && b->Mode == mode)
            {
                // What has run last comes first: a program that is loaded elsewhere each time leaves blocks that never run again.
                *at = b->NextInBucket;
                b->NextInBucket = *bucket;
                *bucket = b;
                return b;
            }
        }

        return null;
    }

    /// <summary>Whether a block may be kept: what crosses into another page, or lies outside RAM, is decoded anew each time it runs.</summary>
    public bool CanKeep(Block* block) => block->SecondPage == ulong.MaxValue && _memory.Contains(block->Physical, 1);

    /// <summary>Keeps a copy of a block, to be found.</summary>
    public Block* Add(Block* decoded)
    {
        Block* block = AddUnfound(decoded);
        Block** bucket = &_buckets[Hash(block->Physical, block->Ip, block->Mode)];
        block->NextInBucket = *bucket;
        *bucket = block;
        return block;
    }

    /// <summary>Keeps a copy of a block that nobody finds, but which is dropped with its page.</summary>
    public Block* AddUnfound(Block* decoded)
    {
        Block* block = Copy(decoded);
        LinkToPage(block);
        return block;
    }

    /// <summary>Looks again for handlers that have been compiled since their blocks were decoded; worth a call now and then.</summary>
    public void ResolveHandlers()
    {
        int kept = 0;
        for (int i = 0; i < _unresolved.Count; i++)
        {
            if (!HandlerEntry.TryResolve((Block*)_unresolved[i]))
            {
                _unresolved[kept++] = _unresolved[i];
            }
        }

        _unresolved.RemoveRange(kept, _unresolved.Count - kept);
    }

    /// <summary>Drops all blocks decoded from a physical page; false when there are none.</summary>
    public bool InvalidatePage(ulong physical)
    {
        ulong page = physical >> 12;
        if (page >= _memory.Size >> 12 || _pages[page] == null)
        {
            return false;
        }

        for (Block* b = _pages[page]; b != null; b = b->NextInPage)
        {
            Unlink(b);
            foreach (BlockLookUp lookUp in _lookUps)
            {
                lookUp.Forget(b);
            }

            b->NextInBucket = _dropped[b->Operations];
            _dropped[b->Operations] = b;
        }

        _pages[page] = null;
        _memory.CodePages[page] &= Watched;
        Generation++;
        foreach (BlockLookUp lookUp in _lookUps)
        {
            lookUp.LeaveDropped();
        }

        return true;
    }

    /// <summary>Has writes to a page told of also while nothing of it is decoded, or no longer.</summary>
    public void Watch(ulong physical, bool watched)
    {
        ulong page = physical >> 12;
        if (page >= _memory.Size >> 12)
        {
            return;
        }

        if (watched)
        {
            Mark(page, Watched);
        }
        else
        {
            _memory.CodePages[page] &= Decoded;
        }
    }

    /// <summary>Drops everything.</summary>
    public void Clear()
    {
        NativeMemory.Clear(_buckets, Buckets * (nuint)sizeof(nint));
        NativeMemory.Clear(_pages, (nuint)(_memory.Size / PhysicalMemory.PageSize) * (nuint)sizeof(nint));
        for (ulong page = 0; page < _memory.Size / PhysicalMemory.PageSize; page++)
        {
            _memory.CodePages[page] &= Watched;
        }

        foreach (BlockLookUp lookUp in _lookUps)
        {
            lookUp.ForgetAll();
        }

        Generation++;
        _chunk = -1;
        _freeBytes = 0;
        NativeMemory.Clear(_dropped, (Block.MaxOperations + 1) * (nuint)sizeof(nint));
        _unresolved.Clear();
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private static uint Hash(ulong physical, ulong rip, int mode) =>
        (uint)((((physical ^ (rip << 20)) + (ulong)mode) * 0x9E3779B97F4A7C15) >> 48);

    private void LinkToPage(Block* block)
    {
        ulong page = block->Physical >> 12;
        block->NextInPage = _pages[page];
        _pages[page] = block;
        Mark(page, Decoded);
    }

    private void Mark(ulong page, byte why)
    {
        if (_memory.CodePages[page] == 0)
        {
            foreach (BlockLookUp lookUp in _lookUps)
            {
                lookUp.ProtectHostPage(_memory.Base + (page << 12));
            }
        }

        _memory.CodePages[page] |= why;
    }

    private Block* Copy(Block* decoded)
    {
        int bytes = sizeof(Block) + (decoded->Operations * sizeof(Op)) + TailCalls.TableBytes(decoded->Operations);
        Block* block = Reuse(decoded->Operations);
        if (block == null)
        {
            block = (Block*)Allocate((bytes + 15) & ~15);
        }

        Buffer.MemoryCopy(decoded, block, bytes, bytes);
        if (!HandlerEntry.TryResolve(block))
        {
            if (_unresolved.Count == MaxUnresolved)
            {
                _unresolved.Clear();
            }

            _unresolved.Add((nint)block);
        }

        return block;
    }

    /// <summary>
    /// The room of a dropped block of the same size, or null. Nothing points to it any more: buckets, jump caches and the links of its
    /// own page are gone, and every run loop has left it before anything is decoded.
    /// </summary>
    private Block* Reuse(int operations)
    {
        Block* block = _dropped[operations];
        if (block != null)
        {
            _dropped[operations] = block->NextInBucket;
        }

        return block;
    }

    private byte* Allocate(int bytes)
    {
        if (bytes > _freeBytes)
        {
            if (_chunk + 1 >= MaxChunks)
            {
                Clear();
            }

            _chunk++;
            if (_chunk == _chunks.Count)
            {
                _chunks.Add((nint)NativeMemory.AlignedAlloc(ChunkSize, 64));
            }

            _free = (byte*)_chunks[_chunk];
            _freeBytes = ChunkSize;
        }

        byte* at = _free;
        _free += bytes;
        _freeBytes -= bytes;
        return at;
    }

    private void Unlink(Block* block)
    {
        Block** at = &_buckets[Hash(block->Physical, block->Ip, block->Mode)];
        while (*at != null && *at != block)
        {
            at = &(*at)->NextInBucket;
        }

        if (*at != null)
        {
            *at = block->NextInBucket;
        }
    }

    private void Free()
    {
        foreach (nint chunk in _chunks)
        {
            NativeMemory.AlignedFree((void*)chunk);
        }

        _chunks.Clear();
        NativeMemory.Free(_buckets);
        NativeMemory.Free(_pages);
        NativeMemory.Free(_dropped);
    }
}
