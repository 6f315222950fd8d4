using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;

namespace KprobeTrace.Cpu;

/// <content>What is refused: moving a guest from inside its own run, and modes that are not built.</content>
internal sealed unsafe partial class Processor
{
    private bool _legacyPaging;

    /// <summary>Whether the guest runs at this moment: what is called now is called by a handler, a device's output, or another thread.</summary>
    public bool IsRunning
    {
        get;
        internal set
        {
            field = value;
            _memory.IsInUse = value;
        }
    }

    /// <summary>Throws while the guest runs: its registers and caches are in the hands of the instruction that called the handler.</summary>
    /// <param name="what">The member that was called.</param>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    internal void ThrowIfRunning([CallerMemberName] string what = "")
    {
        if (IsRunning)
        {
            throw new InvalidOperationException($"{what} cannot be called while the guest runs: return from the handler first, and use one thread at a time");
        }
    }

    private RunGuard Enter([CallerMemberName] string what = "")
    {
        ThrowIfRunning(what);
        IsRunning = true;
        return new RunGuard(this);
    }

    /// <summary>
    /// Something that an instruction called (a device, a listener) threw through the run: the guest stands before that instruction
    /// again, as after a fault, and can go on.
    /// </summary>
    private void StandBeforeCurrent()
    {
        if (_currentOp != null)
        {
            Flow.StopBefore(State, _currentOp);
            _currentOp = null;
        }
    }

    /// <summary>Ends a run whose guest has turned paging on outside long mode: its tables have another shape, and would be misread.</summary>
    private void RefuseLegacyPaging()
    {
        if (_legacyPaging)
        {
            throw new KprobeTraceException(
                $"the guest turned paging on outside long mode (CR0.PG without EFER.LME, before 0x{State->Rip:x}): "
                + "32-bit and PAE page tables are not built; run a 64-bit kernel");
        }
    }
}
