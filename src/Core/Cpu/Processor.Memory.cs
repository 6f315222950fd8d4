using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu;

/// <content>The slow paths of guest memory: page walks, TLB fills, MMIO, page-crossing operands, stores to decoded code.</content>
internal sealed unsafe partial class Processor
{
    private PageAccess _walkBits;
    private PageAccess _dataAccess;

    /// <summary>Rights of implicit supervisor accesses, for which AC lifts no SMAP (Intel SDM vol. 3A §4.6.1).</summary>
    private PageAccess _systemAccess;
    private Op* _currentOp;

    /// <summary>
    /// Executes an operation whose one access failed the inline test before anything changed: fills the TLB and gives the
    /// operation back to be executed again, or, where memory cannot be pointed to, executes it on the bounce buffer.
    /// </summary>
    /// <returns>The operation to go on with, or null as handlers return it.</returns>
    internal Op* Retry(Op* op, ulong address, int size, bool reads, bool writes)
    {
        BounceChecks.IsFree(State);
        PageAccess access = writes ? _dataAccess | PageAccess.Write : _dataAccess;
        if (!IsAligned(address, size))
        {
            StopOnFault(op);
            return null;
        }

        if (IsWithinPage(address, size))
        {
            if (!TryTranslate(op, address, access, fill: true, out _))
            {
                return null;
            }

            TlbEntry* e = Tlb.EntryOf(State->Host.Tlb, address);
            if ((writes ? e->WriteTag : e->ReadTag) == (address & ~0xFFFUL))
            {
                return op;
            }
        }

        bool ready = reads ? Gather(op, address, size, access) : ProbeStore(op, address, size);
        if (!ready)
        {
            return null;
        }

        if (!writes)
        {
            NoteDataAccess(address, size, write: false);
        }

        return ExecuteOnBounce(op, address, size, writes);
    }

    /// <summary>Executes one operation with the bounce buffer in place of its memory operand, and commits what it wrote there.</summary>
    /// <remarks>
    /// The buffer stands in for one operand, so the operation must go to memory once. A test counts the accesses in the code of every
    /// handler; debug builds count those that are made.
    /// </remarks>
    private Op* ExecuteOnBounce(Op* op, ulong address, int size, bool writes)
    {
        // More than any block's length below zero, so that no block can begin.
        const long NoBudget = long.MinValue / 2;

        CpuState* s = State;
        TlbEntry* e = Tlb.EntryOf(s->Host.Tlb, address);
        TlbEntry entry = *e;
        e->ReadTag = e->WriteTag = address;
        e->Addend = (ulong)s->Bounce - address;
        long left = s->Left;
        s->Left = NoBudget;
        BounceChecks.Begin(s);
        Op* next = _lone.Execute(s, op);
        BounceChecks.End(s, op);
        s->Left = left + (s->Left - NoBudget);
        *e = entry;
        if (writes && s->FaultVector == Vector.None)
        {
            StoreBytes(op, address, (byte*)s->Bounce, size);
        }

        return next;
    }

    /// <summary>A host pointer for reading, after filling the TLB or the bounce buffer; null with a fault pending.</summary>
    internal byte* LoadPointer(Op* op, ulong address, int size)
    {
        BounceChecks.IsFree(State);
        if (!IsAligned(address, size))
        {
            StopOnFault(op);
            return null;
        }

        if (IsWithinPage(address, size))
        {
            if (!TryTranslate(op, address, _dataAccess, fill: true, out ulong physical))
            {
                return null;
            }

            if (_memory.Contains(physical, (ulong)size))
            {
                NoteDataAccess(address, size, write: false);
                return _memory.Base + physical;
            }
        }

        if (!Gather(op, address, size, _dataAccess))
        {
            return null;
        }

        NoteDataAccess(address, size, write: false);
        return (byte*)State->Bounce;
    }

    /// <summary>A host pointer for reading and writing; null with a fault pending.</summary>
    internal byte* ModifyPointer(Op* op, ulong address, int size)
    {
        BounceChecks.IsFree(State);
        PageAccess access = _dataAccess | PageAccess.Write;
        if (!IsAligned(address, size))
        {
            StopOnFault(op);
            return null;
        }

        if (IsWithinPage(address, size))
        {
            if (!TryTranslate(op, address, access, fill: true, out ulong physical))
            {
                return null;
            }

            if (_memory.Contains(physical, (ulong)size) && _memory.CodePages[physical >> 12] == 0)
            {
                NoteDataAccess(address, size, write: true);
                return _memory.Base + physical;
            }
        }

        if (!Gather(op, address, size, access))
        {
            return null;
        }

        State->BounceAddress = address;
        State->BounceSize = size;
        return (byte*)State->Bounce;
    }

    /// <summary>Writes back what a handler left in the bounce buffer.</summary>
    internal void CommitBounce(Op* op) => StoreBytes(op, State->BounceAddress, (byte*)State->Bounce, State->BounceSize);

    /// <summary>Stores bytes by the slow path; false with a fault pending and nothing written.</summary>
    internal bool StoreBytes(Op* op, ulong address, byte* from, int size)
    {
        BounceChecks.IsFree(State);
        PageAccess access = _dataAccess | PageAccess.Write;
        if (!IsAligned(address, size))
        {
            return StopOnFault(op);
        }

        int head = BytesInPage(address, size);
        if (!EndsInSpace(op, address, size) || !TryTranslate(op, address, access, fill: true, out ulong physical))
        {
            return false;
        }

        if (head == size)
        {
            NoteDataAccess(address, size, write: true);
            WritePhysical(op, physical, from, size);
            return true;
        }

        if (!TryTranslate(op, Wrap(address + (ulong)head), access, fill: true, out ulong second))
        {
            return false;
        }

        NoteDataAccess(address, size, write: true);
        WritePhysical(op, physical, from, head);
        WritePhysical(op, second, from + head, size - head);
        return true;
    }

    /// <summary>Whether a page is accessible for reading or writing as the current mode would; a fault is pending when not.</summary>
    internal bool Probe(Op* op, ulong address, bool write) =>
        TryTranslate(op, address, write ? _dataAccess | PageAccess.Write : _dataAccess, fill: true, out _);

    /// <summary>Whether an operand could be stored now; a fault is pending when not, and nothing is written either way.</summary>
    internal bool ProbeStore(Op* op, ulong address, int size)
    {
        BounceChecks.IsFree(State);
        PageAccess access = _dataAccess | PageAccess.Write;
        if (!IsAligned(address, size))
        {
            return StopOnFault(op);
        }

        int head = BytesInPage(address, size);
        return EndsInSpace(op, address, size) && TryTranslate(op, address, access, fill: true, out _)
            && (head == size || TryTranslate(op, Wrap(address + (ulong)head), access, fill: true, out _));
    }

    /// <summary>Reads system data (descriptor tables, TSS, stacks of a new privilege level) with supervisor rights.</summary>
    /// <remarks>On a fault only the fault fields of the state are set.</remarks>
    internal bool TryReadSystem(ulong address, void* into, int size) => TryReadAs(_systemAccess, address, into, size);

    /// <summary>Writes system data with supervisor rights; on a fault only the fault fields are set.</summary>
    internal bool TryWriteSystem(ulong address, void* from, int size) => TryWriteAs(_systemAccess, address, from, size);

    private bool TryReadAs(PageAccess access, ulong address, void* into, int size)
    {
        byte* to = (byte*)into;
        for (int done = 0; done < size;)
        {
            ulong at = WrapSystem(address + (ulong)done);
            int part = BytesInPage(at, size - done);
            if (!TryTranslate(null, at, access, fill: false, out ulong physical))
            {
                return false;
            }

            ReadPhysical(null, physical, to + done, part);
            done += part;
        }

        return true;
    }

    private bool TryWriteAs(PageAccess access, ulong address, void* from, int size)
    {
        byte* source = (byte*)from;
        for (int done = 0; done < size;)
        {
            ulong at = WrapSystem(address + (ulong)done);
            int part = BytesInPage(at, size - done);
            if (!TryTranslate(null, at, access | PageAccess.Write, fill: false, out ulong physical))
            {
                return false;
            }

            WritePhysical(null, physical, source + done, part);
            done += part;
        }

        return true;
    }

    /// <summary>Translates without rights checks and without touching accessed or dirty bits, for whoever looks in from outside.</summary>
    /// <param name="linear">Linear address.</param>
    /// <param name="cr3">Page tables to look through.</param>
    /// <param name="physical">Physical address when mapped.</param>
    public bool TryPeek(ulong linear, ulong cr3, out ulong physical)
    {
        physical = linear;
        if ((State->Cr0 & Cr0.PG) == 0)
        {
            return true;
        }

        if (!PageWalker.IsCanonical(linear))
        {
            return false;
        }

        PageWalk walk = PageWalker.Walk(_memory, cr3, linear, _walkBits | PageAccess.Peek);
        physical = walk.Physical;
        return walk.Ok;
    }

    /// <summary>Reads RAM through the page tables in force as <see cref="TryPeek(ulong, ulong, out ulong)"/> translates; all bytes or none count.</summary>
    public bool TryPeek(ulong linear, Span<byte> into)
    {
        for (int done = 0, part; done < into.Length; done += part)
        {
            part = BytesInPage(linear + (ulong)done, into.Length - done);
            if (!TryPeek(linear + (ulong)done, State->Cr3, out ulong physical) || !_memory.TryRead(physical, into.Slice(done, part)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Writes RAM through page tables, whatever their rights and without touching accessed or dirty bits, for whoever
    /// changes the guest from outside; all bytes or none. Decoded code that is overwritten is decoded anew.
    /// </summary>
    /// <param name="linear">Linear address.</param>
    /// <param name="bytes">What is written there.</param>
    /// <param name="translate">Finds the memory behind the address; null for the page tables in force.</param>
    public bool TryPoke(ulong linear, ReadOnlySpan<byte> bytes, AddressTranslation? translate = null)
    {
        translate ??= TryPeekHere;
        for (int done = 0, part; done < bytes.Length; done += part)
        {
            part = BytesInPage(linear + (ulong)done, bytes.Length - done);
            if (!translate(linear + (ulong)done, out ulong physical) || !_memory.Contains(physical, (ulong)part))
            {
                return false;
            }
        }

        for (int done = 0, part; done < bytes.Length; done += part)
        {
            part = BytesInPage(linear + (ulong)done, bytes.Length - done);
            _ = translate(linear + (ulong)done, out ulong physical) && _group.TryWriteRam(physical, bytes.Slice(done, part));
        }

        return true;
    }

    private bool TryPeekHere(ulong linear, out ulong physical) => TryPeek(linear, State->Cr3, out physical);

    /// <summary>Translates an instruction address with the rights of the current mode; a fault is pending when false.</summary>
    internal bool TryTranslateFetch(ulong address, out ulong physical)
    {
        bool user = State->Cpl == 3;
        ulong page = address & ~0xFFFUL;
        if (_fetchTlb.TryFind(page, user, out physical))
        {
            physical |= address & 0xFFF;
            return true;
        }

        PageAccess access = _walkBits | PageAccess.Fetch | (user ? PageAccess.User : 0);
        if (State->InLongMode && !PageWalker.IsCanonical(address))
        {
            return Refuse(Vector.GeneralProtection, 0);
        }

        if (!TryWalk(address, access, out PageWalk walk))
        {
            return false;
        }

        physical = walk.Physical;
        _fetchTlb.Add(page, user, physical & ~0xFFFUL, walk.Global, walk.PageSize > PhysicalMemory.PageSize);
        return true;
    }

    /// <summary>Loads CR3: translations of pages that are not global go.</summary>
    internal void LoadCr3(ulong value)
    {
        State->Cr3 = value;
        bool keepSupervisor = (State->Cr4 & Cr4.PGE) != 0;
        if (keepSupervisor)
        {
            _tlb.FlushNonGlobal();
        }
        else
        {
            _tlb.FlushAll();
        }

        if (keepSupervisor && !_fetchTlb.HasNonGlobalSupervisorCode)
        {
            _fetchTlb.FlushTranslations();
            _jumpCache.Flush(user: true);
        }
        else
        {
            _fetchTlb.Flush();
            _jumpCache.Flush();
        }
    }

    /// <summary>INVLPG: forgets one page, of whatever size. Kernel code may lie in large pages, so for those all code goes.</summary>
    internal void InvalidatePage(ulong address)
    {
        _tlb.FlushPage(address);
        if (_fetchTlb.MayHaveFetched(address) || (long)address < 0)
        {
            _fetchTlb.Flush();
            _jumpCache.Flush();
        }
    }

    private static bool IsWithinPage(ulong address, int size) => (address & 0xFFF) + (ulong)size <= PhysicalMemory.PageSize;

    private static int BytesInPage(ulong address, int size) => (int)Math.Min((ulong)size, PhysicalMemory.PageSize - (address & 0xFFF));

    /// <summary>
    /// Whether an operand may lie where it does; #AC is pending when not. Only user mode with EFLAGS.AC and CR0.AM set asks
    /// (Intel SDM vol. 3A §6.15, interrupt 17). An address that is not canonical is another, earlier matter.
    /// </summary>
    private bool IsAligned(ulong address, int size)
    {
        if (State->AccessMode != Tlb.UserAligned || (address & (ulong)(Alignment(size) - 1)) == 0
            || (State->InLongMode && !PageWalker.IsCanonical(address)))
        {
            return true;
        }

        State->FaultVector = Vector.AlignmentCheck;
        State->FaultErrorCode = 0;
        return false;
    }

    /// <summary>Whether an operand that begins at a canonical address ends at one; a fault is pending when not.</summary>
    private bool EndsInSpace(Op* op, ulong address, int size)
    {
        ulong last = address + (ulong)size - 1;
        return !State->InLongMode || PageWalker.IsCanonical(last) || !PageWalker.IsCanonical(address)
            || TryTranslate(op, last, _dataAccess, fill: false, out _);
    }

    private static int Alignment(int size) => size switch
    {
        1 or 2 or 4 or 8 or 16 => size,
        10 => 8,
        _ => 1,
    };

    /// <summary>Cuts an address within an operand; those of 16- and 32-bit code wrap at 4 GiB.</summary>
    private ulong Wrap(ulong address) => State->In64BitCode ? address : (uint)address;

    private ulong WrapSystem(ulong address) => State->InLongMode ? address : (uint)address;

    private bool Gather(Op* op, ulong address, int size, PageAccess access)
    {
        byte* bounce = (byte*)State->Bounce;
        int head = BytesInPage(address, size);
        if (!EndsInSpace(op, address, size) || !TryTranslate(op, address, access, fill: true, out ulong physical))
        {
            return false;
        }

        ulong second = 0;
        if (head < size && !TryTranslate(op, Wrap(address + (ulong)head), access, fill: true, out second))
        {
            return false;
        }

        ReadPhysical(op, physical, bounce, head);
        if (head < size)
        {
            ReadPhysical(op, second, bounce + head, size - head);
        }

        return true;
    }

    private bool TryTranslate(Op* op, ulong address, PageAccess access, bool fill, out ulong physical)
    {
        CpuState* s = State;
        if (s->InLongMode && !PageWalker.IsCanonical(address))
        {
            physical = 0;
            s->FaultVector = op != null && UsesStackSegment(op) ? Vector.StackFault : Vector.GeneralProtection;
            s->FaultErrorCode = 0;
            return StopOnFault(op);
        }

        if (!TryWalk(address, access, out PageWalk walk))
        {
            physical = 0;
            return StopOnFault(op);
        }

        physical = walk.Physical;
        if (fill)
        {
            FillTlb(address, walk);
        }

        return true;
    }

    private bool TryWalk(ulong address, PageAccess access, out PageWalk walk)
    {
        CpuState* s = State;
        if ((s->Cr0 & Cr0.PG) == 0)
        {
            walk = new PageWalk { Ok = true, Physical = address, Writable = true, PageSize = PhysicalMemory.PageSize };
            return true;
        }

        walk = PageWalker.Walk(_memory, s->Cr3, address, access);
        if (walk.Ok)
        {
            return true;
        }

        s->FaultVector = Vector.PageFault;
        s->FaultErrorCode = walk.ErrorCode;
        s->FaultAddress = address;
        return false;
    }

    private bool StopOnFault(Op* op)
    {
        if (op != null)
        {
            Flow.StopBefore(State, op);
        }

        return false;
    }

    private void FillTlb(ulong address, in PageWalk walk)
    {
        ulong page = walk.Physical & ~0xFFFUL;
        if (!_memory.Contains(page, PhysicalMemory.PageSize) || State->AccessMode == Tlb.UserAligned
            || (_watchesData && IsWatched(address)))
        {
            return;
        }

        int index = (int)(address >> 12) & (Tlb.Entries - 1);
        TlbEntry* e = State->Host.Tlb + index;
        ulong linear = address & ~0xFFFUL;
        e->ReadTag = linear;
        e->WriteTag = walk.Writable && _memory.CodePages[page >> 12] == 0 ? linear : Tlb.InvalidTag(index);
        e->Addend = (ulong)(_memory.Base + page) - linear;
        e->Flags = (walk.Global && (State->Cr4 & Cr4.PGE) != 0 ? TlbEntry.Global : 0)
            | (walk.PageSize > 0x200000 ? TlbEntry.Page1G : walk.PageSize > PhysicalMemory.PageSize ? TlbEntry.Page2M : 0);
    }

    private static bool UsesStackSegment(Op* op) =>
        op->Segment == Segment.Ss || (op->Segment > Segment.Gs && (op->Base == 4 * 8 || op->Base == 5 * 8));

    private void ReadPhysical(Op* op, ulong physical, byte* into, int size)
    {
        if (_memory.Contains(physical, (ulong)size))
        {
            Buffer.MemoryCopy(_memory.Base + physical, into, size, size);
            return;
        }

        _currentOp = op;
        for (int done = 0; done < size;)
        {
            int part = MmioPart(physical + (ulong)done, size - done);
            ulong value = _bus.ReadMmio(physical + (ulong)done, part);
            Buffer.MemoryCopy(&value, into + done, part, part);
            done += part;
        }

        _currentOp = null;
    }

    private void WritePhysical(Op* op, ulong physical, byte* from, int size)
    {
        if (_memory.Contains(physical, (ulong)size))
        {
            Buffer.MemoryCopy(from, _memory.Base + physical, size, size);
            if (_memory.CodePages[physical >> 12] != 0)
            {
                _currentOp = op;
                _group.NoteWritten(physical, size);
                _currentOp = null;
            }

            return;
        }

        _currentOp = op;
        for (int done = 0; done < size;)
        {
            int part = MmioPart(physical + (ulong)done, size - done);
            ulong value = 0;
            Buffer.MemoryCopy(from + done, &value, part, part);
            _bus.WriteMmio(physical + (ulong)done, value, part);
            done += part;
        }

        _currentOp = null;
        State->ExitRequest = 1;
    }

    private static int MmioPart(ulong physical, int left) => left switch
    {
        >= 8 when (physical & 7) == 0 => 8,
        >= 4 when (physical & 3) == 0 => 4,
        >= 2 when (physical & 1) == 0 => 2,
        _ => 1,
    };
}
