using System.Text;
using KprobeTrace.Cpu;
using KprobeTrace.Guest;
using KprobeTrace.Kprobes;
using KprobeTrace.Probes;

namespace KprobeTrace.Session;

/// <summary>The guest at the moment of a hit, as fetch arguments and filters read it: on the processor whose turn it is.</summary>
internal sealed unsafe class FetchEnvironment(GuestSession session, ProbedProcessors probed) : IFetchEnvironment
{
    public int CpuIndex => session.Machine.Processors.Running.Index;

    public int CurrentPid => Current().Pid;

    public ulong RetiredInstructions => (ulong)session.Machine.Retired;

    /// <summary>Who runs; all zero where nothing is known.</summary>
    public CurrentTask Current()
    {
        CurrentTask task = default;
        session.Linux?.ReadCurrent(CpuIndex, out task);
        return task;
    }

    public bool TryReadKernel(ulong address, Span<byte> destination) => probed.TryReadKernel(address, destination);

    // Between the halves there is nothing that could be read, so only where it begins tells whose it is.
    public bool TryReadUser(ulong address, Span<byte> destination) =>
        (long)address >= 0 && session.Machine.Processors.Running.TryPeek(address, destination);

    public int ReadComm(Span<byte> destination)
    {
        Span<byte> name = stackalloc byte[CurrentTask.CommLength];
        int length = Current().CopyComm(name);
        name[..length].CopyTo(destination);
        return length;
    }

    public int FormatSymbol(ulong address, Span<byte> destination)
    {
        byte[] text = Encoding.UTF8.GetBytes(session.Symbols.Format(address));
        int length = Math.Min(text.Length, destination.Length);
        text.AsSpan(0, length).CopyTo(destination);
        return length;
    }

    /// <summary>The kernel call stack of a hit, innermost caller first.</summary>
    /// <param name="registers">The frame of the hit.</param>
    /// <param name="address">The probed address: a handler's <c>Ip</c> is one more, where other rules of the stack may hold.</param>
    /// <param name="destination">Where the return addresses go.</param>
    /// <returns>How many were found; none in a guest that is not Linux.</returns>
    public int WalkStack(PtRegs* registers, ulong address, Span<ulong> destination)
    {
        UnwindRegisters start = new(
            address, registers->Sp, registers->Bp, registers->Dx, registers->Di, registers->R10, registers->R13);
        return session.Unwinder?.Walk(in start, destination) ?? 0;
    }

    /// <summary>The call stack that a call was made from, once it has returned: the one its entry had.</summary>
    /// <param name="call">The call.</param>
    /// <param name="registers">The frame of its return.</param>
    /// <param name="destination">Where the return addresses go.</param>
    /// <returns>How many were found; none in a guest that is not Linux.</returns>
    public int WalkStack(KretprobeInstance call, PtRegs* registers, Span<ulong> destination)
    {
        UnwindRegisters caller = new(
            call.RetAddr, call.Frame + sizeof(ulong), registers->Bp, registers->Dx, registers->Di, registers->R10, registers->R13);
        return session.Unwinder?.WalkReturned(in caller, destination) ?? 0;
    }
}
