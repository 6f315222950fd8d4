using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>All that the APIC keeps.</summary>
internal sealed partial class LocalApic
{
    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from)
    {
        State state = from.Read<State>();
        from.Require(state.DivideShift < 8 && state.Expiry >= 0 && state.InterruptRequest.IsConsistent && state.InService.IsConsistent && state.TriggerMode.IsConsistent);
        _state = state;
        TellBase();
    }

    /// <summary>What the APIC keeps.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>IRR.</summary>
        public VectorSet InterruptRequest;

        /// <summary>ISR.</summary>
        public VectorSet InService;

        /// <summary>TMR.</summary>
        public VectorSet TriggerMode;

        /// <summary>IA32_APIC_BASE.</summary>
        public ulong ApicBase;

        /// <summary>IA32_TSC_DEADLINE.</summary>
        public ulong TscDeadline;

        /// <summary>What the processor's time-stamp counter has on top of virtual time, in nanoseconds.</summary>
        public long TscOffset;

        /// <summary>Virtual time at which the timer's count reaches zero; <see cref="long.MaxValue"/> while it stands still.</summary>
        public long Expiry;

        /// <summary>Timer, thermal, performance, LINT0, LINT1, error.</summary>
        public LvtEntries LocalVectorTable;

        /// <summary>The initial count of the timer.</summary>
        public uint InitialCount;

        /// <summary>The divide configuration of the timer.</summary>
        public uint DivideConfiguration;

        /// <summary>The APIC id, in bits 24 to 31.</summary>
        public uint Id;

        /// <summary>LDR.</summary>
        public uint LogicalDestination;

        /// <summary>DFR.</summary>
        public uint DestinationFormat;

        /// <summary>SVR.</summary>
        public uint SpuriousVector;

        /// <summary>The lower half of ICR.</summary>
        public uint CommandLow;

        /// <summary>The upper half of ICR.</summary>
        public uint CommandHigh;

        /// <summary>ESR, as the last write to it left it.</summary>
        public uint ErrorStatus;

        /// <summary>What has happened since then.</summary>
        public uint Errors;

        /// <summary>TPR.</summary>
        public byte TaskPriority;

        /// <summary>The binary logarithm of what the timer's clock is divided by.</summary>
        public byte DivideShift;

        /// <summary>The levels of LINT0 and LINT1.</summary>
        public InputLevels LocalInputs;

        /// <summary>Whether a message has brought an ExtINT that was not acknowledged yet.</summary>
        public bool ExternalLatched;

        /// <summary>Whether the processor was told of an interrupt that waits.</summary>
        public bool Pending;
    }

    /// <summary>The local vector table.</summary>
    [InlineArray(LvtCount)]
    private struct LvtEntries
    {
        private uint _first;
    }

    /// <summary>Two levels.</summary>
    [InlineArray(2)]
    private struct InputLevels
    {
        private bool _first;
    }
}
