using System.Buffers.Binary;
using System.Runtime.InteropServices;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Devices.Timing;

namespace KprobeTrace.Devices;

/// <summary>
/// The paravirtual clock of KVM guests: through it a guest learns the frequency of its time-stamp counter (1 GHz) and
/// the time of day without calibrating anything.
/// </summary>
/// <remarks>
/// Layouts and MSR numbers: Linux Documentation/virt/kvm/x86/msr.rst and cpuid.rst. One instance a processor, because
/// the system-time page is a processor's own. The page is written once, when the guest registers it: the counter never
/// drifts from the clock, so nothing ever has to be corrected.
/// </remarks>
internal sealed class KvmClock : IStateful
{
    /// <summary>MSR_KVM_WALL_CLOCK_NEW: physical address where the guest wants the time of day at power-on.</summary>
    public const uint MsrWallClock = 0x4B564D00;

    /// <summary>MSR_KVM_SYSTEM_TIME_NEW: physical address of the system-time page, bit 0 set to enable it.</summary>
    public const uint MsrSystemTime = 0x4B564D01;

    /// <summary>MSR_KVM_WALL_CLOCK, the older number.</summary>
    public const uint MsrWallClockOld = 0x11;

    /// <summary>MSR_KVM_SYSTEM_TIME, the older number.</summary>
    public const uint MsrSystemTimeOld = 0x12;

    private const int SystemTimeLength = 32;
    private const int WallClockLength = 12;
    private const byte FlagTscStable = 1;

    private readonly IVirtualClock _clock;
    private readonly IPhysicalMemoryWriter _memory;
    private State _state;

    /// <summary>Makes the clock of a processor.</summary>
    public KvmClock(IVirtualClock clock, IPhysicalMemoryWriter memory)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(memory);
        _clock = clock;
        _memory = memory;
    }

    /// <summary>What the processor's time-stamp counter has on top of virtual time, in nanoseconds.</summary>
    public long TscOffset
    {
        get => _state.TscOffset;
        set => _state.TscOffset = value;
    }

    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from) => _state = from.Read<State>();

    /// <summary>Reads one of the clock's MSRs.</summary>
    /// <returns>False when the MSR is not the clock's.</returns>
    public bool TryReadMsr(uint msr, out ulong value)
    {
        switch (msr)
        {
            case MsrSystemTime:
            case MsrSystemTimeOld:
                value = _state.SystemTime;
                return true;
            case MsrWallClock:
            case MsrWallClockOld:
                value = _state.WallClock;
                return true;
            default:
                value = 0;
                return false;
        }
    }

    /// <summary>Writes one of the clock's MSRs, and the page it names. An address outside RAM is kept and nothing is written.</summary>
    /// <returns>False when the MSR is not the clock's.</returns>
    public bool TryWriteMsr(uint msr, ulong value)
    {
        switch (msr)
        {
            case MsrSystemTime:
            case MsrSystemTimeOld:
                _state.SystemTime = value;
                WriteSystemTime();
                return true;
            case MsrWallClock:
            case MsrWallClockOld:
                _state.WallClock = value;
                WriteWallClock();
                return true;
            default:
                return false;
        }
    }

    private void WriteSystemTime()
    {
        if ((_state.SystemTime & 1) == 0)
        {
            return;
        }

        // struct pvclock_vcpu_time_info. nanoseconds = ((tsc - timestamp) << shift) * multiplier >> 32: a shift of 1
        // with half of 2^32 is the factor 1.
        Span<byte> page = stackalloc byte[SystemTimeLength];
        page.Clear();
        long now = _clock.Now;
        BinaryPrimitives.WriteUInt32LittleEndian(page, 2);
        BinaryPrimitives.WriteInt64LittleEndian(page[8..], now + TscOffset);
        BinaryPrimitives.WriteInt64LittleEndian(page[16..], now);
        BinaryPrimitives.WriteUInt32LittleEndian(page[24..], 0x80000000);
        page[28] = 1;
        page[29] = FlagTscStable;
        _memory.TryWrite(_state.SystemTime & ~1UL, page);
    }

    private void WriteWallClock()
    {
        // struct pvclock_wall_clock: version, seconds and nanoseconds of the moment at which system time was 0.
        Span<byte> page = stackalloc byte[WallClockLength];
        page.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(page, 2);
        BinaryPrimitives.WriteUInt32LittleEndian(page[4..], (uint)RtcMc146818.StartSeconds);
        _memory.TryWrite(_state.WallClock, page);
    }

    /// <summary>What the clock keeps.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>MSR_KVM_SYSTEM_TIME_NEW.</summary>
        public ulong SystemTime;

        /// <summary>MSR_KVM_WALL_CLOCK_NEW.</summary>
        public ulong WallClock;

        /// <summary>What the processor's time-stamp counter has on top of virtual time, in nanoseconds.</summary>
        public long TscOffset;
    }
}
