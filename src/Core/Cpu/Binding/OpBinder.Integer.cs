using Iced.Intel;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.State;
using unsafe Handler = delegate*<KprobeTrace.Cpu.State.CpuState*, KprobeTrace.Cpu.State.Op*, KprobeTrace.Cpu.State.Op*>;

namespace KprobeTrace.Cpu.Binding;

/// <content>The two-operand arithmetic and the moves: what most code consists of.</content>
internal static unsafe partial class OpBinder
{
    private static BindResult BindInteger(in Instruction i, Op* op, int mode, bool flagsDead)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Add: return BindBinary<Alu.Add>(i, op, mode, flagsDead);
            case Mnemonic.Or: return BindBinary<Alu.Or>(i, op, mode, flagsDead);
            case Mnemonic.Adc: return BindBinary<Alu.Adc>(i, op, mode, flagsDead: false);
            case Mnemonic.Sbb: return BindBinary<Alu.Sbb>(i, op, mode, flagsDead: false);
            case Mnemonic.And: return BindBinary<Alu.And>(i, op, mode, flagsDead);
            case Mnemonic.Sub: return BindBinary<Alu.Sub>(i, op, mode, flagsDead);
            case Mnemonic.Xor: return BindBinary<Alu.Xor>(i, op, mode, flagsDead);
            case Mnemonic.Cmp: return BindBinary<Alu.Cmp>(i, op, mode, flagsDead: false);
            case Mnemonic.Test: return BindBinary<Alu.Test>(i, op, mode, flagsDead: false);
            case Mnemonic.Inc: return BindUnary<Alu.Inc>(i, op, mode);
            case Mnemonic.Dec: return BindUnary<Alu.Dec>(i, op, mode);
            case Mnemonic.Neg: return BindUnary<Alu.Neg>(i, op, mode);
            case Mnemonic.Not: return BindUnary<Alu.Not>(i, op, mode);
            case Mnemonic.Mov: return BindMove(i, op, mode);
            case Mnemonic.Movzx: return BindExtend<No>(i, op, mode);
            case Mnemonic.Movsx or Mnemonic.Movsxd: return BindExtend<Yes>(i, op, mode);
            case Mnemonic.Lea: return BindLea(i, op, mode);
            default: return BindResult.Undefined;
        }
    }

    private static BindResult BindBinary<TOperation>(in Instruction i, Op* op, int mode, bool flagsDead)
        where TOperation : struct, Alu.IBinary
    {
        int size = OperandBinder.Size(i, 0);
        if (i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.AddressKind kind = OperandBinder.SetMemory(i, op, mode);
            if (i.Op1Kind == OpKind.Register)
            {
                op->Source = OperandBinder.Offset(i.Op1Register);
                op->Handler = ToMemory<TOperation, RegisterSource>(size, kind);
            }
            else
            {
                op->Immediate = (long)i.GetImmediate(1);
                op->Handler = ToMemory<TOperation, ImmediateSource>(size, kind);
            }

            return BindResult.Continue;
        }

        op->Destination = OperandBinder.Offset(i.Op0Register);
        switch (i.Op1Kind)
        {
            case OpKind.Register:
                op->Source = OperandBinder.Offset(i.Op1Register);
                op->Handler = flagsDead ? ToRegister<TOperation, RegisterSource, No>(size) : ToRegister<TOperation, RegisterSource, Yes>(size);
                break;
            case OpKind.Memory:
                op->Handler = OperandBinder.SetMemory(i, op, mode) switch
                {
                    OperandBinder.AddressKind.Base => ToRegister<TOperation, MemorySource<BaseAddress>, Yes>(size),
                    OperandBinder.AddressKind.Indexed => ToRegister<TOperation, MemorySource<IndexedAddress>, Yes>(size),
                    _ => ToRegister<TOperation, MemorySource<AnyAddress>, Yes>(size),
                };
                break;
            default:
                op->Immediate = (long)i.GetImmediate(1);
                op->Handler = flagsDead ? ToRegister<TOperation, ImmediateSource, No>(size) : ToRegister<TOperation, ImmediateSource, Yes>(size);
                break;
        }

        return BindResult.Continue;
    }

    private static Handler ToRegister<TOperation, TSource, TFlags>(int size)
        where TOperation : struct, Alu.IBinary
        where TSource : struct, ISource
        where TFlags : struct, IFlag => size switch
        {
            1 => &Alu.ToRegister<byte, TOperation, TSource, TFlags>,
            2 => &Alu.ToRegister<ushort, TOperation, TSource, TFlags>,
            4 => &Alu.ToRegister<uint, TOperation, TSource, TFlags>,
            _ => &Alu.ToRegister<ulong, TOperation, TSource, TFlags>,
        };

    private static Handler ToMemory<TOperation, TSource>(int size, OperandBinder.AddressKind kind)
        where TOperation : struct, Alu.IBinary
        where TSource : struct, ISource => kind switch
        {
            OperandBinder.AddressKind.Base => ToMemory<TOperation, TSource, BaseAddress>(size),
            OperandBinder.AddressKind.Indexed => ToMemory<TOperation, TSource, IndexedAddress>(size),
            _ => ToMemory<TOperation, TSource, AnyAddress>(size),
        };

    private static Handler ToMemory<TOperation, TSource, TAddress>(int size)
        where TOperation : struct, Alu.IBinary
        where TSource : struct, ISource
        where TAddress : struct, IAddress => size switch
        {
            1 => &Alu.ToMemory<byte, TOperation, TSource, TAddress>,
            2 => &Alu.ToMemory<ushort, TOperation, TSource, TAddress>,
            4 => &Alu.ToMemory<uint, TOperation, TSource, TAddress>,
            _ => &Alu.ToMemory<ulong, TOperation, TSource, TAddress>,
        };

    private static BindResult BindUnary<TOperation>(in Instruction i, Op* op, int mode)
        where TOperation : struct, Alu.IUnary
    {
        int size = OperandBinder.Size(i, 0);
        if (i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Handler = size switch
            {
                1 => &Alu.Memory<byte, TOperation>,
                2 => &Alu.Memory<ushort, TOperation>,
                4 => &Alu.Memory<uint, TOperation>,
                _ => &Alu.Memory<ulong, TOperation>,
            };
        }
        else
        {
            op->Destination = OperandBinder.Offset(i.Op0Register);
            op->Handler = size switch
            {
                1 => &Alu.Register<byte, TOperation>,
                2 => &Alu.Register<ushort, TOperation>,
                4 => &Alu.Register<uint, TOperation>,
                _ => &Alu.Register<ulong, TOperation>,
            };
        }

        return BindResult.Continue;
    }

    private static BindResult BindMove(in Instruction i, Op* op, int mode)
    {
        int size = OperandBinder.Size(i, 0);
        if (i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.AddressKind kind = OperandBinder.SetMemory(i, op, mode);
            if (i.Op1Kind == OpKind.Register)
            {
                op->Source = OperandBinder.Offset(i.Op1Register);
                op->Handler = StoreHandler<RegisterSource>(size, kind);
            }
            else
            {
                op->Immediate = (long)i.GetImmediate(1);
                op->Handler = StoreHandler<ImmediateSource>(size, kind);
            }

            return BindResult.Continue;
        }

        op->Destination = OperandBinder.Offset(i.Op0Register);
        switch (i.Op1Kind)
        {
            case OpKind.Register:
                op->Source = OperandBinder.Offset(i.Op1Register);
                op->Handler = LoadHandler<RegisterSource>(size);
                break;
            case OpKind.Memory:
                op->Handler = OperandBinder.SetMemory(i, op, mode) switch
                {
                    OperandBinder.AddressKind.Base => LoadHandler<MemorySource<BaseAddress>>(size),
                    OperandBinder.AddressKind.Indexed => LoadHandler<MemorySource<IndexedAddress>>(size),
                    _ => LoadHandler<MemorySource<AnyAddress>>(size),
                };
                break;
            default:
                op->Immediate = (long)i.GetImmediate(1);
                op->Handler = LoadHandler<ImmediateSource>(size);
                break;
        }

        return BindResult.Continue;
    }

    private static Handler LoadHandler<TSource>(int size)
        where TSource : struct, ISource => size switch
        {
            1 => &Moves.ToRegister<byte, byte, TSource>,
            2 => &Moves.ToRegister<ushort, ushort, TSource>,
            4 => &Moves.ToRegister<uint, uint, TSource>,
            _ => &Moves.ToRegister<ulong, ulong, TSource>,
        };

    private static Handler StoreHandler<TSource>(int size, OperandBinder.AddressKind kind)
        where TSource : struct, ISource => kind switch
        {
            OperandBinder.AddressKind.Base => StoreHandler<TSource, BaseAddress>(size),
            OperandBinder.AddressKind.Indexed => StoreHandler<TSource, IndexedAddress>(size),
            _ => StoreHandler<TSource, AnyAddress>(size),
        };

    private static Handler StoreHandler<TSource, TAddress>(int size)
        where TSource : struct, ISource
        where TAddress : struct, IAddress => size switch
        {
            1 => &Moves.ToMemory<byte, TSource, TAddress>,
            2 => &Moves.ToMemory<ushort, TSource, TAddress>,
            4 => &Moves.ToMemory<uint, TSource, TAddress>,
            _ => &Moves.ToMemory<ulong, TSource, TAddress>,
        };

    private static BindResult BindExtend<TSigned>(in Instruction i, Op* op, int mode)
        where TSigned : struct, IFlag
    {
        op->Destination = OperandBinder.Offset(i.Op0Register);
        int to = OperandBinder.Size(i, 0);
        int from = OperandBinder.Size(i, 1);
        if (i.Op1Kind == OpKind.Register)
        {
            op->Source = OperandBinder.Offset(i.Op1Register);
            op->Handler = ExtendHandler<TSigned, RegisterSource>(to, from);
        }
        else
        {
            op->Handler = OperandBinder.SetMemory(i, op, mode) switch
            {
                OperandBinder.AddressKind.Base => ExtendHandler<TSigned, MemorySource<BaseAddress>>(to, from),
                OperandBinder.AddressKind.Indexed => ExtendHandler<TSigned, MemorySource<IndexedAddress>>(to, from),
                _ => ExtendHandler<TSigned, MemorySource<AnyAddress>>(to, from),
            };
        }

        return BindResult.Continue;
    }

    private static Handler ExtendHandler<TSigned, TSource>(int to, int from)
        where TSigned : struct, IFlag
        where TSource : struct, ISource => from switch
        {
            1 => ExtendHandler<TSigned, byte, TSource>(to),
            2 => ExtendHandler<TSigned, ushort, TSource>(to),
            _ => ExtendHandler<TSigned, uint, TSource>(to),
        };

    private static Handler ExtendHandler<TSigned, TFrom, TSource>(int to)
        where TSigned : struct, IFlag
        where TFrom : unmanaged
        where TSource : struct, ISource => (TSigned.Value, to) switch
        {
            (false, 2) => &Moves.ToRegister<ushort, TFrom, TSource>,
            (false, 4) => &Moves.ToRegister<uint, TFrom, TSource>,
            (false, _) => &Moves.ToRegister<ulong, TFrom, TSource>,
            (true, 2) => &Moves.SignExtended<ushort, TFrom, TSource>,
            (true, 4) => &Moves.SignExtended<uint, TFrom, TSource>,
            (true, _) => &Moves.SignExtended<ulong, TFrom, TSource>,
        };

    private static BindResult BindLea(in Instruction i, Op* op, int mode)
    {
        op->Destination = OperandBinder.Offset(i.Op0Register);
        OperandBinder.AddressKind kind = OperandBinder.SetMemory(i, op, mode);

        // LEA gives the offset within its segment: no base is added and only the address size wraps.
        op->Segment = OpBits.NoSegment;
        op->Bits &= unchecked((byte)~OpBits.Linear32);
        int size = OperandBinder.Size(i, 0);
        bool wraps = (op->Bits & OpBits.Wraps) != 0;
        op->Handler = (size, wraps ? OperandBinder.AddressKind.Any : i.MemoryIndex == Register.None ? OperandBinder.AddressKind.Base : OperandBinder.AddressKind.Indexed) switch
        {
            (2, _) => &Moves.Lea<ushort, AnyAddress>,
            (4, OperandBinder.AddressKind.Base) => &Moves.Lea<uint, BaseAddress>,
            (4, OperandBinder.AddressKind.Indexed) => &Moves.Lea<uint, IndexedAddress>,
            (4, _) => &Moves.Lea<uint, AnyAddress>,
            (_, OperandBinder.AddressKind.Base) => &Moves.Lea<ulong, BaseAddress>,
            (_, OperandBinder.AddressKind.Indexed) => &Moves.Lea<ulong, IndexedAddress>,
            _ => &Moves.Lea<ulong, AnyAddress>,
        };
        return BindResult.Continue;
    }
}
