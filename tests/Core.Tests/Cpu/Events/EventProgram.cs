using Iced.Intel;

namespace KprobeTrace.Tests.Cpu.Events;

/// <summary>One event: what stands before it, and the instruction that brings it about.</summary>
/// <param name="Name">What the table of changes calls it.</param>
/// <param name="Prepare">Sets up the guest; where it stands afterwards, the instruction is assembled.</param>
/// <param name="Instruction">The instruction that is executed.</param>
internal sealed unsafe record EventProgram(string Name, Action<TestGuest> Prepare, Action<Assembler> Instruction)
{
    /// <summary>The size of the code.</summary>
    internal int Bits { get; init; } = 64;

    /// <summary>Instructions to run instead of a single step: what comes from outside comes between instructions.</summary>
    internal int Run { get; init; }

    /// <summary>Executes it and says what has changed from before the instruction to before the first one of what handles it.</summary>
    internal string[] Changes()
    {
        using TestGuest guest = new();
        Prepare(guest);
        ulong at = guest.State->Rip;
        ulong ip = Bits == 64 ? at : at - guest.State->Segments.Cs.Base;
        guest.Assemble(Bits, at, ip, Instruction);
        MachineSnapshot before = new(guest);
        if (Run > 0)
        {
            guest.Processor.Run(guest.Processor.Retired + Run);
        }
        else
        {
            guest.Processor.SingleStep();
        }

        return [.. before.Changes(new MachineSnapshot(guest))];
    }
}
