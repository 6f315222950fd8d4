using System.Runtime.InteropServices;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Blocks;

/// <summary>Lets operations call the compiled code of their handlers, not the stubs that stand for it.</summary>
/// <remarks>
/// The address of a method is that of a stub: on x86-64 a jump through a variable that holds the address of the code once that
/// has been compiled. An operation that knows the code saves a jump each time it runs, which is a tenth to a quarter of a hot
/// loop's time. Handlers are compiled once and for all (see <see cref="Flow.Hot"/>), so what has been found stays
/// right. A stub that looks different, as on another architecture, is left alone: it is always right, too.
/// </remarks>
internal static unsafe class HandlerEntry
{
    /// <summary>Bytes of <c>jmp [rip+disp32]</c>.</summary>
    private const int StubLength = 6;

    private static readonly bool _isX64 = RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>Resolves the handlers of a block; false when one has not been compiled yet, so that asking again pays.</summary>
    public static bool TryResolve(Block* block)
    {
        if (!_isX64 || !TailCalls.AreTaken)
        {
            return true;
        }

        bool complete = true;
        Op* end = Block.First(block) + block->Operations;
        for (Op* op = Block.First(block); op < end; op++)
        {
            // SAFETY: a method's address points to executable code of at least one instruction, all that is read before the
            // opcode is known; the variable of such a jump lies in the runtime's data next to it.
            byte* stub = (byte*)op->Handler;
            if (stub[0] != 0xFF || stub[1] != 0x25)
            {
                continue;
            }

            byte* code = *(byte**)(stub + StubLength + *(int*)(stub + 2));
            if (code == stub + StubLength || CountsCalls(code))
            {
                complete = false;
                continue;
            }

            op->Handler = (delegate*<CpuState*, Op*, Op*>)code;
        }

        return complete;
    }

    /// <summary>
    /// Whether code is the runtime's call counter of a method that tiering has yet to finish: <c>mov rax, [rip+disp32]</c> before
    /// all else. It may be freed later; a handler that forgot its attribute must not end there.
    /// </summary>
    private static bool CountsCalls(byte* code) => code[0] == 0x48 && code[1] == 0x8B && code[2] == 0x05;
}
