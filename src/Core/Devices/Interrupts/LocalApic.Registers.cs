namespace KprobeTrace.Devices.Interrupts;

/// <summary>The register page and the MSRs.</summary>
internal sealed partial class LocalApic
{
    /// <summary>IA32_APIC_BASE (Intel SDM vol. 3A §11.4.4).</summary>
    public const uint MsrApicBase = 0x1B;

    /// <summary>IA32_TSC_DEADLINE (Intel SDM vol. 3A §11.5.4.1).</summary>
    public const uint MsrTscDeadline = 0x6E0;

    // Version 0x14 of an integrated APIC, six local vector table entries.
    private const uint Version = 0x00050014;
    private const ulong BaseBootstrap = 1 << 8;
    private const ulong BaseEnable = 1 << 11;
    private const ulong BaseAddressMask = 0x000F_FFFF_FFFF_F000;
    private const uint CommandWritable = 0x000C_CFFF;

    // Bits that software can set, in the order of the local vector table: timer, thermal, performance, LINT0, LINT1, error.
    private static ReadOnlySpan<uint> LvtWritable => [0x700FF, 0x107FF, 0x107FF, 0x1A7FF, 0x1A7FF, 0x100FF];

    /// <summary>
    /// Called when the guest moves the register page or switches the APIC on or off, with the page's physical address
    /// and whether it answers.
    /// </summary>
    public Action<ulong, bool>? BaseChanged { get; set; }

    /// <summary>Whether IA32_APIC_BASE enables the APIC; CPUID shows the APIC only then.</summary>
    public bool IsGloballyEnabled => (_state.ApicBase & BaseEnable) != 0;

    /// <inheritdoc/>
    /// <remarks>Registers are 32 bits wide at multiples of 16; the bytes between them read as zero.</remarks>
    public ulong Read(ulong offset, int size)
    {
        int shift = (int)(offset & 3) * 8;
        ulong value = (offset & 0xC) == 0 ? ReadRegister((int)(offset >> 4)) : 0;
        return value >> shift;
    }

    /// <inheritdoc/>
    /// <remarks>Writes must be aligned and of 4 bytes (§11.4.1); of a wider one the low half counts, a narrower one is ignored.</remarks>
    public void Write(ulong offset, ulong value, int size)
    {
        if ((offset & 0xF) == 0 && size >= 4)
        {
            WriteRegister((int)(offset >> 4), (uint)value);
        }
    }

    /// <summary>Reads an MSR that belongs to the APIC.</summary>
    /// <returns>False when the APIC has no such MSR.</returns>
    public bool TryReadMsr(uint msr, out ulong value)
    {
        switch (msr)
        {
            case MsrApicBase:
                value = _state.ApicBase;
                return true;
            case MsrTscDeadline:
                value = ReadTscDeadline();
                return true;
            default:
                value = 0;
                return false;
        }
    }

    /// <summary>Writes an MSR that belongs to the APIC.</summary>
    /// <returns>False when the APIC has no such MSR or a reserved bit is set: a general protection fault.</returns>
    public bool TryWriteMsr(uint msr, ulong value)
    {
        switch (msr)
        {
            case MsrApicBase:
                return TryWriteBase(value);
            case MsrTscDeadline:
                WriteTscDeadline(value);
                return true;
            default:
                return false;
        }
    }

    private bool TryWriteBase(ulong value)
    {
        if ((value & ~(BaseAddressMask | BaseEnable | BaseBootstrap)) != 0)
        {
            return false;
        }

        bool wasEnabled = IsGloballyEnabled;
        _state.ApicBase = value;
        if (wasEnabled && !IsGloballyEnabled)
        {
            ClearState();
        }

        Evaluate();
        TellBase();
        return true;
    }

    private void TellBase() => BaseChanged?.Invoke(_state.ApicBase & BaseAddressMask, IsGloballyEnabled);

    private uint ReadRegister(int index)
    {
        switch (index)
        {
            case 0x02:
                return _state.Id;
            case 0x03:
                return Version;
            case 0x08:
                return _state.TaskPriority;
            case 0x09:
                return ArbitrationPriority();
            case 0x0A:
                return ProcessorPriority;
            case 0x0C:
                return 0;
            case 0x0B:
                // Write-only; some kernels read it after writing, and processors let them.
                return 0;
            case 0x0D:
                return _state.LogicalDestination;
            case 0x0E:
                return _state.DestinationFormat;
            case 0x0F:
                return _state.SpuriousVector;
            case >= 0x10 and <= 0x17:
                return _state.InService.Word(index - 0x10);
            case >= 0x18 and <= 0x1F:
                return _state.TriggerMode.Word(index - 0x18);
            case >= 0x20 and <= 0x27:
                return _state.InterruptRequest.Word(index - 0x20);
            case 0x28:
                return _state.ErrorStatus;
            case 0x30:
                return _state.CommandLow;
            case 0x31:
                return _state.CommandHigh;
            case >= 0x32 and <= 0x37:
                return _state.LocalVectorTable[index - 0x32];
            case 0x38:
                return _state.InitialCount;
            case 0x39:
                return CurrentCount();
            case 0x3E:
                return _state.DivideConfiguration;
            default:
                ReportError(ErrorIllegalRegister);
                return 0;
        }
    }

    private void WriteRegister(int index, uint value)
    {
        switch (index)
        {
            case 0x0B:
                EndOfInterrupt();
                break;
            case 0x02:
                _state.Id = value & 0xFF000000;
                break;
            case 0x08:
                TaskPriority = (byte)value;
                break;
            case 0x0D:
                _state.LogicalDestination = value & 0xFF000000;
                break;
            case 0x0E:
                _state.DestinationFormat = value | 0x0FFFFFFF;
                break;
            case 0x0F:
                WriteSpurious(value);
                break;
            case 0x28:
                // A write latches what happened since the last one (§11.5.3).
                _state.ErrorStatus = _state.Errors;
                _state.Errors = 0;
                break;
            case 0x30:
                _state.CommandLow = value & CommandWritable;
                SendCommand();
                break;
            case 0x31:
                _state.CommandHigh = value & 0xFF000000;
                break;
            case >= 0x32 and <= 0x37:
                WriteLvt(index - 0x32, value);
                break;
            case 0x38:
                WriteInitialCount(value);
                break;
            case 0x3E:
                WriteDivideConfiguration(value);
                break;
            case 0x03 or 0x09 or 0x0A or 0x0C or 0x39 or (>= 0x10 and <= 0x27):
                break;
            default:
                ReportError(ErrorIllegalRegister);
                break;
        }
    }

    private void WriteSpurious(uint value)
    {
        _state.SpuriousVector = value & 0x3FF;
        if ((_state.SpuriousVector & SoftwareEnable) == 0)
        {
            for (int i = 0; i < LvtCount; i++)
            {
                _state.LocalVectorTable[i] |= LvtMasked;
            }

            ScheduleTimer();
        }

        Evaluate();
    }

    private void WriteLvt(int index, uint value)
    {
        value &= LvtWritable[index];
        if ((_state.SpuriousVector & SoftwareEnable) == 0)
        {
            value |= LvtMasked;
        }

        if (index == LvtTimer && TimerMode != TimerDeadline)
        {
            // The time until now counts in the mode that it passed in.
            CatchUp(_clock.Now);
        }

        uint before = _state.LocalVectorTable[index];
        _state.LocalVectorTable[index] = value;
        if (index == LvtTimer)
        {
            TimerModeWritten(before);
        }

        Evaluate();
    }

    private byte ArbitrationPriority()
    {
        int highest = Math.Max(Math.Max(_state.InterruptRequest.Highest, _state.InService.Highest), 0) & 0xF0;
        return (_state.TaskPriority & 0xF0) >= highest ? _state.TaskPriority : (byte)highest;
    }
}
