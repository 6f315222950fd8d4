using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Devices.Timing;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>
/// A processor's local APIC in xAPIC mode (Intel SDM vol. 3A chapter 11): priorities, vectors in service, local vector
/// table, messages between processors, timer.
/// </summary>
/// <remarks>
/// The processor side is <see cref="IProcessorSignals"/> one way and <see cref="AcknowledgeInterrupt"/>,
/// <see cref="TaskPriority"/> and the MSRs the other way. The 8259 pair's output goes to local input 0 (LINT0); its
/// vector is fetched through <see cref="ExternalVector"/>.
/// </remarks>
internal sealed partial class LocalApic : IMmioDevice, IStateful
{
    /// <summary>Where the registers are after reset.</summary>
    public const ulong DefaultBase = 0xFEE00000;

    /// <summary>Bytes of the register page.</summary>
    public const ulong RegionLength = 0x1000;

    private const int LvtTimer = 0;
    private const int LvtLint0 = 3;
    private const int LvtError = 5;
    private const int LvtCount = 6;
    private const uint LvtMasked = 1 << 16;
    private const uint SoftwareEnable = 1 << 8;

    private readonly IVirtualClock _clock;
    private readonly ApicBus _bus;
    private readonly IProcessorSignals _processor;
    private readonly byte _initialId;
    private readonly bool _isBootstrap;
    private State _state;

    /// <summary>Makes a local APIC in its power-up state and attaches it to the bus.</summary>
    /// <param name="id">Initial APIC id.</param>
    /// <param name="isBootstrap">Whether IA32_APIC_BASE says that this is the bootstrap processor.</param>
    /// <param name="clock">Drives the timer, which ticks once a nanosecond before the divider.</param>
    /// <param name="bus">Connects to the other APICs.</param>
    /// <param name="processor">Is told of interrupts.</param>
    public LocalApic(byte id, bool isBootstrap, IVirtualClock clock, ApicBus bus, IProcessorSignals processor)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(bus);
        ArgumentNullException.ThrowIfNull(processor);
        _initialId = id;
        _isBootstrap = isBootstrap;
        _clock = clock;
        _bus = bus;
        _processor = processor;
        _timer = clock.CreateTimer(TimerExpired);
        bus.Attach(this);
        Reset();
    }

    /// <summary>Fetches the vector of an ExtINT from the 8259 pair; its spurious vector stands in when none is set.</summary>
    public Func<int>? ExternalVector { get; set; }

    /// <summary>The task priority register; CR8 is its upper four bits.</summary>
    public byte TaskPriority
    {
        get => _state.TaskPriority;
        set
        {
            _state.TaskPriority = value;
            Evaluate();
        }
    }

    /// <summary>The processor priority: the higher of task priority and the class in service (§11.8.3.1).</summary>
    public byte ProcessorPriority
    {
        get
        {
            int inService = _state.InService.Highest & 0xF0;
            return _state.InService.Highest >= 0 && inService > (_state.TaskPriority & 0xF0) ? (byte)inService : _state.TaskPriority;
        }
    }

    /// <summary>The APIC id as messages name it.</summary>
    public byte Id => (byte)(_state.Id >> 24);

    /// <summary>Whether the processor was told of an interrupt that waits.</summary>
    public bool IsInterruptPending => _state.Pending;

    /// <summary>Whether the spurious-interrupt register enables the APIC.</summary>
    internal bool IsSoftwareEnabled => IsGloballyEnabled && (_state.SpuriousVector & SoftwareEnable) != 0;

    /// <summary>Puts the APIC into its power-up state: everything masked, disabled by software (§11.4.7.1).</summary>
    public void Reset()
    {
        _state.Id = (uint)_initialId << 24;
        _state.ApicBase = DefaultBase | BaseEnable | (_isBootstrap ? BaseBootstrap : 0);
        ClearState();
        BaseChanged?.Invoke(DefaultBase, true);
    }

    /// <summary>
    /// Leaves the APIC as PC firmware hands it over: enabled, LINT0 passing the 8259 pair's interrupts through, LINT1 an
    /// NMI. Kernels that never touch the APIC depend on it.
    /// </summary>
    public void EnterVirtualWire()
    {
        _state.SpuriousVector = SoftwareEnable | 0xFF;
        _state.LocalVectorTable[LvtLint0] = (uint)ApicDeliveryMode.ExternalInterrupt << 8;
        _state.LocalVectorTable[LvtLint0 + 1] = (uint)ApicDeliveryMode.Nmi << 8;
        Evaluate();
    }

    /// <summary>
    /// Takes the interrupt that the processor is about to deliver and returns its vector. Interrupts of the 8259 pair
    /// bypass the priorities and go first.
    /// </summary>
    /// <returns>The vector; the spurious one when the request has gone in the meantime.</returns>
    public int AcknowledgeInterrupt()
    {
        if (IsExternalAsserted())
        {
            _state.ExternalLatched = false;
            int external = ExternalVector?.Invoke() ?? (int)(_state.SpuriousVector & 0xFF);
            Evaluate();
            return external;
        }

        if (!IsRequestDeliverable())
        {
            Evaluate();
            return (int)(_state.SpuriousVector & 0xFF);
        }

        int vector = _state.InterruptRequest.Highest;
        _state.InterruptRequest.Remove(vector);
        _state.InService.Add(vector);
        Evaluate();
        return vector;
    }

    /// <summary>Sets the level of a local interrupt pin.</summary>
    /// <param name="pin">0 for LINT0, where the 8259 pair's output is wired, 1 for LINT1.</param>
    /// <param name="level">True while it is asserted.</param>
    public void SetLocalInput(int pin, bool level)
    {
        bool rising = level && !_state.LocalInputs[pin];
        _state.LocalInputs[pin] = level;
        uint entry = _state.LocalVectorTable[LvtLint0 + pin];
        if (rising && IsGloballyEnabled && (entry & LvtMasked) == 0
            && DeliveryMode(entry) != ApicDeliveryMode.ExternalInterrupt)
        {
            Accept(new ApicMessage(DeliveryMode(entry), (byte)entry, Id, false, false));
        }

        Evaluate();
    }

    private static ApicDeliveryMode DeliveryMode(uint entry) => (ApicDeliveryMode)((entry >> 8) & 7);

    private void ClearState()
    {
        _state.InterruptRequest.Clear();
        _state.InService.Clear();
        _state.TriggerMode.Clear();
        ((Span<uint>)_state.LocalVectorTable).Fill(LvtMasked);
        _state.ExternalLatched = false;
        _state.TaskPriority = 0;
        _state.LogicalDestination = 0;
        _state.DestinationFormat = uint.MaxValue;
        _state.SpuriousVector = 0xFF;
        _state.CommandLow = 0;
        _state.CommandHigh = 0;
        _state.Errors = 0;
        _state.ErrorStatus = 0;
        ResetTimer();
        Evaluate();
    }

    private bool IsExternalAsserted()
    {
        if (_state.ExternalLatched)
        {
            return true;
        }

        // A globally disabled APIC leaves the processor with its INTR pin, which is LINT0.
        if (!IsGloballyEnabled)
        {
            return _state.LocalInputs[0];
        }

        return (_state.LocalInputs[0] && PassesExternal(_state.LocalVectorTable[LvtLint0]))
            || (_state.LocalInputs[1] && PassesExternal(_state.LocalVectorTable[LvtLint0 + 1]));
    }

    private static bool PassesExternal(uint entry) =>
        (entry & LvtMasked) == 0 && DeliveryMode(entry) == ApicDeliveryMode.ExternalInterrupt;

    private bool IsRequestDeliverable() =>
        _state.InterruptRequest.Highest >= 0 && IsSoftwareEnabled && (_state.InterruptRequest.Highest >> 4) > (ProcessorPriority >> 4);

    private void Evaluate()
    {
        bool pending = IsRequestDeliverable() || IsExternalAsserted();
        if (pending != _state.Pending)
        {
            _state.Pending = pending;
            _processor.SetInterruptPending(pending);
        }
    }
}
