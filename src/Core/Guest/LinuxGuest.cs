using System.Runtime.CompilerServices;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;

namespace KprobeTrace.Guest;

/// <summary>What is known of a running Linux guest: the current task of each CPU and the loaded modules.</summary>
/// <remarks>
/// The current task is found without the guest's GS register: <c>__per_cpu_offset[cpu]</c> plus the per-CPU symbol
/// <c>current_task</c>, or <c>pcpu_hot</c> in kernels 6.2 to 6.14. Offsets in <c>task_struct</c> come from BTF. Host
/// addresses of the slots are kept: task structures stand in the direct map, whose translation never changes.
/// </remarks>
internal sealed unsafe partial class LinuxGuest
{
    private const int MaxCpus = 64;
    private const int CachedTasks = 256;
    private const ulong PageSize = 0x1000;

    private readonly SymbolTable _symbols;
    private readonly Btf? _types;
    private readonly IGuestMemory _memory;
    private readonly ulong _perCpuOffsets;
    private readonly ulong _currentTask;
    private readonly ulong _initialOffset;
    private readonly uint _pid;
    private readonly uint _tgid;
    private readonly uint _comm;
    private readonly CpuSlots[] _cpus = new CpuSlots[MaxCpus];
    private readonly TaskSlots[] _tasks = new TaskSlots[CachedTasks];

    /// <summary>Learns where a Linux image keeps its state.</summary>
    /// <param name="image">The image.</param>
    /// <param name="symbols">Its symbols.</param>
    /// <param name="types">Its BTF, null when it has none; then no task is known.</param>
    /// <param name="memory">The kernel's memory.</param>
    public LinuxGuest(LoadedImage image, SymbolTable symbols, Btf? types, IGuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(symbols);
        ArgumentNullException.ThrowIfNull(memory);
        _symbols = symbols;
        _types = types;
        _memory = memory;
        uint? pid = types?.OffsetOf("task_struct", "pid");
        uint? tgid = types?.OffsetOf("task_struct", "tgid");
        uint? comm = types?.OffsetOf("task_struct", "comm");
        ulong? offsets = symbols.AddressOf("__per_cpu_offset");
        ulong? current = symbols.AddressOf("current_task")
            ?? (symbols.AddressOf("pcpu_hot") + types?.OffsetOf("pcpu_hot", "current_task"));
        if (pid is null || tgid is null || comm is null || offsets is null || current is null)
        {
            return;
        }

        KnowsTasks = true;
        _pid = pid.Value;
        _tgid = tgid.Value;
        _comm = comm.Value;
        _perCpuOffsets = offsets.Value;
        _currentTask = current.Value;

        // Until setup_per_cpu_areas() every entry holds what it was linked with.
        Span<byte> initial = stackalloc byte[8];
        _initialOffset = image.TryReadLink(_perCpuOffsets, initial) ? BitConverter.ToUInt64(initial) : 0;
    }

    /// <summary>Gets a value telling whether symbols and BTF say where tasks are.</summary>
    public bool KnowsTasks { get; }

    /// <summary>Reads who runs on a CPU; costs a few loads when the task ran recently.</summary>
    /// <param name="cpu">The CPU's number, from 0.</param>
    /// <param name="task">The task; all zero while the kernel has no per-CPU areas.</param>
    public void ReadCurrent(int cpu, out CurrentTask task)
    {
        task = default;
        ulong address = CurrentTaskAddress(cpu);
        ref TaskSlots of = ref _tasks[(int)((address >> 6) ^ (address >> 14)) & (CachedTasks - 1)];
        if (address == 0 || (of.Address != address && !Locate(address, ref of)))
        {
            return;
        }

        // SAFETY: the pointers come from IGuestMemory.TryGetPointer, lie in guest RAM and do not straddle a page.
        task.Address = address;
        task.Pid = *of.Pid;
        task.Tgid = *of.Tgid;
        task.CommLow = of.Comm[0];
        task.CommHigh = of.CommHigh[0];
    }

    /// <summary>The address of the <c>task_struct</c> that runs on a CPU; 0 while the kernel has no per-CPU areas.</summary>
    public ulong CurrentTaskAddress(int cpu)
    {
        if ((uint)cpu >= MaxCpus || !KnowsTasks)
        {
            return 0;
        }

        ref CpuSlots slots = ref _cpus[cpu];

        // SAFETY: as in ReadCurrent.
        bool isLocated = slots.Offset is not null && *slots.Offset == slots.CachedOffset && slots.Task is not null;
        return isLocated || Locate(cpu, ref slots) ? *slots.Task : 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Locate(int cpu, ref CpuSlots slots)
    {
        slots.Offset = (ulong*)Aligned(_perCpuOffsets + ((ulong)cpu * 8));
        if (slots.Offset is null || *slots.Offset == _initialOffset)
        {
            return false;
        }

        slots.CachedOffset = *slots.Offset;
        slots.Task = (ulong*)Aligned(slots.CachedOffset + _currentTask);
        return slots.Task is not null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Locate(ulong address, ref TaskSlots task)
    {
        task.Address = 0;
        task.Pid = (int*)Aligned(address + _pid, 4);
        task.Tgid = (int*)Aligned(address + _tgid, 4);
        task.Comm = (ulong*)Aligned(address + _comm);
        task.CommHigh = (ulong*)Aligned(address + _comm + 8);
        if (task.Pid is null || task.Tgid is null || task.Comm is null || task.CommHigh is null)
        {
            return false;
        }

        task.Address = address;
        return true;
    }

    // Slots the kernel keeps aligned never straddle a page; one that would is taken as unknown.
    private byte* Aligned(ulong address, ulong size = 8) =>
        (address & (PageSize - 1)) <= PageSize - size ? _memory.TryGetPointer(address) : null;

    private struct CpuSlots
    {
        public ulong* Offset;
        public ulong CachedOffset;
        public ulong* Task;
    }

    private struct TaskSlots
    {
        public ulong Address;
        public int* Pid;
        public int* Tgid;
        public ulong* Comm;
        public ulong* CommHigh;
    }
}
