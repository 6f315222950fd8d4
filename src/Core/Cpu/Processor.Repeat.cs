using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu;

/// <content>Repeated instructions under a breakpoint that stop between elements, for a debug trap or a pause of the host.</content>
/// <remarks>
/// Such an instruction has been told of and has not completed: its breakpoint does not count again when it goes on. It is known by
/// its address and the registers it works with, among them the stack pointer, since the handler of the debug trap may itself run
/// into the same instruction, and need not come back to this one. It goes on at once, after a pause of the host, or by an IRET; who
/// comes to it in any other way, be it with equal registers, begins it anew.
/// </remarks>
internal sealed unsafe partial class Processor
{
    /// <summary>How deep debug handlers that are interrupted in turn are followed.</summary>
    private const int MaxStoppedRepeats = 8;

    private readonly StoppedRepeat[] _stoppedRepeats = new StoppedRepeat[MaxStoppedRepeats];
    private int _stoppedRepeatCount;

    /// <summary>How many instructions had retired when the last IRET had, -1 before the first.</summary>
    private long _returned = -1;

    /// <summary>Where a repeated instruction goes on, how many had retired before it, and whether its completion is to be told.</summary>
    private readonly record struct StoppedRepeat(ulong Rip, ulong Rsp, ulong Rcx, ulong Rsi, ulong Rdi, long Retired, bool Notifies);

    /// <summary>Notes that an IRET has led to the next instruction.</summary>
    /// <param name="retired">The instructions that have retired with it.</param>
    internal void NoteReturn(long retired) => _returned = retired;

    /// <summary>Notes the instruction at RIP, which has stopped between elements.</summary>
    private void NoteStoppedRepeat(bool notifies)
    {
        if (_stoppedRepeatCount == MaxStoppedRepeats)
        {
            // The oldest is the one least likely to go on: whoever stopped it has gone elsewhere.
            Array.Copy(_stoppedRepeats, 1, _stoppedRepeats, 0, MaxStoppedRepeats - 1);
            _stoppedRepeatCount--;
        }

        _stoppedRepeats[_stoppedRepeatCount++] = RepeatAtRip(Retired, notifies);
    }

    /// <summary>Whether the instruction at RIP goes on where it has stopped; it is forgotten then.</summary>
    private bool TryResumeRepeat(out bool notifies)
    {
        notifies = false;
        for (int i = _stoppedRepeatCount - 1; i >= 0; i--)
        {
            long stopped = _stoppedRepeats[i].Retired;
            notifies = _stoppedRepeats[i].Notifies;
            if ((Retired == stopped || Retired == _returned) && _stoppedRepeats[i] == RepeatAtRip(stopped, notifies))
            {
                // What was stopped later, in a handler, did not come back.
                _stoppedRepeatCount = i;
                return true;
            }
        }

        return false;
    }

    private StoppedRepeat RepeatAtRip(long retired, bool notifies)
    {
        ulong* r = State->R;
        return new StoppedRepeat(State->Rip, r[Registers.Rsp], r[Registers.Rcx], r[Registers.Rsi], r[Registers.Rdi], retired, notifies);
    }
}
