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
    /// <summary>Notes that an IRET has led to the next instruction.</summary>
    /// <param name="retired">The instructions that have retired with it.</param>
    internal void NoteReturn(long retired) => State->StoppedRepeats.Returned = retired;

    /// <summary>Notes the instruction at RIP, which has stopped between elements.</summary>
    private void NoteStoppedRepeat(bool notifies)
    {
        ref StoppedRepeats stopped = ref State->StoppedRepeats;
        if (stopped.Count == StoppedRepeats.Most)
        {
            // The oldest is the one least likely to go on: whoever stopped it has gone elsewhere.
            ((Span<StoppedRepeat>)stopped.At)[1..].CopyTo(stopped.At);
            stopped.Count--;
        }

        stopped.At[stopped.Count++] = RepeatAtRip(Retired, notifies);
    }

    /// <summary>Whether the instruction at RIP goes on where it has stopped; it is forgotten then.</summary>
    private bool TryResumeRepeat(out bool notifies)
    {
        notifies = false;
        ref StoppedRepeats stopped = ref State->StoppedRepeats;
        for (int i = stopped.Count - 1; i >= 0; i--)
        {
            long before = stopped.At[i].Retired;
            notifies = stopped.At[i].Notifies != 0;
            if ((Retired == before || Retired == stopped.Returned) && stopped.At[i] == RepeatAtRip(before, notifies))
            {
                // What was stopped later, in a handler, did not come back.
                stopped.Count = i;
                return true;
            }
        }

        return false;
    }

    private StoppedRepeat RepeatAtRip(long retired, bool notifies)
    {
        ulong* r = State->R;
        return new StoppedRepeat(State->Rip, r[Registers.Rsp], r[Registers.Rcx], r[Registers.Rsi], r[Registers.Rdi], retired, notifies ? 1UL : 0);
    }
}
