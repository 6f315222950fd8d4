using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;

namespace KprobeTrace.Cpu;

/// <content>What is refused: moving a guest from inside its own run, and modes that are not built.</content>
internal sealed unsafe partial class Processor
{
    private bool _legacyPaging;

    /// <summary>Throws while the guest runs, on this processor or another of its machine.</summary>
    /// <param name="what">The member that was called.</param>
    /// <exception cref="InvalidOperationException">The guest runs.</exception>
    internal void ThrowIfRunning([CallerMemberName] string what = "") => _group.ThrowIfRunning(what);

    private RunGuard Enter([CallerMemberName] string what = "")
    {
        ThrowIfRunning(what);
        return _group.Enter(this);
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
