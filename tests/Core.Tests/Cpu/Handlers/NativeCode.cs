using System.Reflection;
using System.Runtime.CompilerServices;
using Iced.Intel;

namespace KprobeTrace.Tests.Cpu.Handlers;

/// <summary>The machine code that the runtime's compiler made of a method.</summary>
internal sealed unsafe class NativeCode
{
    private const int MostBytes = 1 << 16;
    private readonly Dictionary<ulong, Instruction> _instructions = [];

    private NativeCode(ulong entry)
    {
        Entry = entry;
        Stack<ulong> open = new([entry]);
        while (open.TryPop(out ulong at))
        {
            Follow(at, open);
        }
    }

    /// <summary>Address of its first instruction.</summary>
    public ulong Entry { get; }

    /// <summary>Compiles a method, if need be, and reads what came of it.</summary>
    public static NativeCode Of(MethodBase method)
    {
        Compile(method);
        return new NativeCode(Resolve((ulong)method.MethodHandle.GetFunctionPointer()));
    }

    /// <summary>Where a method's code begins.</summary>
    public static ulong EntryOf(MethodBase method)
    {
        Compile(method);
        return Resolve((ulong)method.MethodHandle.GetFunctionPointer());
    }

    /// <summary>Calls whose result is returned as it is: those that a jump could have stood for.</summary>
    public IEnumerable<Instruction> CallsBeforeReturn() =>
        _instructions.Values.Where(i => i.FlowControl is FlowControl.Call or FlowControl.IndirectCall && LeadsToReturn(i.NextIP));

    /// <summary>All calls.</summary>
    public IEnumerable<Instruction> Calls() => _instructions.Values.Where(i => i.FlowControl is FlowControl.Call or FlowControl.IndirectCall);

    /// <summary>Where a call goes: the code of a method, or 0 when only the run decides.</summary>
    public static ulong Target(in Instruction call)
    {
        if (call.Op0Kind == OpKind.NearBranch64)
        {
            return Resolve(call.NearBranchTarget);
        }

        // SAFETY: the code refers to a variable of the runtime that holds an address of code.
        return call.Op0Kind == OpKind.Memory && call.IsIPRelativeMemoryOperand ? Resolve(*(ulong*)call.IPRelativeMemoryAddress) : 0;
    }

    private static void Compile(MethodBase method) =>
        RuntimeHelpers.PrepareMethod(
            method.MethodHandle,
            [.. (method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : []).Concat(method.IsGenericMethod ? method.GetGenericArguments() : []).Select(t => t.TypeHandle)]);

    /// <summary>Follows the runtime's stubs, which are jumps through variables, to the code they stand for.</summary>
    private static ulong Resolve(ulong address)
    {
        for (int i = 0; i < 8; i++)
        {
            // SAFETY: addresses of code, of at least one instruction.
            byte* code = (byte*)address;
            if (code[0] != 0xFF || code[1] != 0x25)
            {
                break;
            }

            ulong next = *(ulong*)(code + 6 + *(int*)(code + 2));
            if (next == address + 6)
            {
                break;
            }

            address = next;
        }

        return address;
    }

    private void Follow(ulong at, Stack<ulong> open)
    {
        Decoder decoder = Decoder.Create(64, new Bytes(at));
        decoder.IP = at;
        while (!_instructions.ContainsKey(decoder.IP))
        {
            ulong ip = decoder.IP;
            decoder.Decode(out Instruction i);
            _instructions[ip] = i;
            bool isInside = i.Op0Kind == OpKind.NearBranch64 && Math.Abs((long)(i.NearBranchTarget - Entry)) < MostBytes;
            if (isInside && i.FlowControl is FlowControl.ConditionalBranch or FlowControl.UnconditionalBranch)
            {
                open.Push(i.NearBranchTarget);
            }

            if (i.IsInvalid || i.FlowControl is FlowControl.Return or FlowControl.UnconditionalBranch or FlowControl.IndirectBranch or FlowControl.Interrupt or FlowControl.Exception)
            {
                return;
            }
        }
    }

    private bool LeadsToReturn(ulong ip)
    {
        while (_instructions.TryGetValue(ip, out Instruction i))
        {
            switch (i.Mnemonic)
            {
                case Mnemonic.Ret:
                    return true;
                case Mnemonic.Jmp when i.Op0Kind == OpKind.NearBranch64:
                    ip = i.NearBranchTarget;
                    break;
                case Mnemonic.Nop or Mnemonic.Pop or Mnemonic.Vzeroupper or Mnemonic.Leave:
                case Mnemonic.Add or Mnemonic.Lea or Mnemonic.Mov when i.Op0Register is Register.RSP or Register.RBP:
                    ip = i.NextIP;
                    break;

                // A frame's place for the result, written and read again.
                case Mnemonic.Mov when (i.Op0Register == Register.RAX || i.Op1Register == Register.RAX)
                    && i.Op0Kind is OpKind.Register or OpKind.Memory && i.Op1Kind is OpKind.Register or OpKind.Memory
                    && (i.MemoryBase is Register.RSP or Register.RBP or Register.None):
                    ip = i.NextIP;
                    break;
                default:
                    return false;
            }
        }

        return false;
    }

    private sealed class Bytes(ulong at) : CodeReader
    {
        private byte* _at = (byte*)at;

        public override int ReadByte() => *_at++;
    }
}
