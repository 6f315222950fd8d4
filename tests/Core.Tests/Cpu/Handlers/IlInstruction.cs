using System.Reflection;
using System.Reflection.Emit;

namespace KprobeTrace.Tests.Cpu.Handlers;

/// <summary>An instruction of a method's intermediate language.</summary>
/// <param name="Offset">Where it stands.</param>
/// <param name="Code">Its opcode.</param>
/// <param name="Method">The method it names, with the type arguments it has here; null for any other.</param>
/// <param name="Next">Offsets of what may come after it.</param>
internal readonly record struct IlInstruction(int Offset, OpCode Code, MethodBase? Method, int[] Next)
{
    private static readonly Dictionary<int, OpCode> _codes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!)
        .ToDictionary(code => code.Value & 0xFFFF);

    /// <summary>All instructions of a method, in order; empty when it has no body.</summary>
    public static IEnumerable<IlInstruction> Of(MethodBase method)
    {
        byte[] il = method.GetMethodBody()?.GetILAsByteArray() ?? [];
        Type? constraint = null;
        for (int at = 0; at < il.Length;)
        {
            int offset = at;
            int value = il[at++];
            OpCode code = _codes[value == 0xFE ? 0xFE00 | il[at++] : value];
            int end = at + (code.OperandType == OperandType.InlineSwitch ? 4 + (4 * BitConverter.ToInt32(il, at)) : Size(code.OperandType));
            MethodBase? named = null;
            if (code == OpCodes.Constrained)
            {
                constraint = method.Module.ResolveType(BitConverter.ToInt32(il, at), TypeArguments(method), MethodArguments(method));
            }
            else if (code.OperandType == OperandType.InlineMethod)
            {
                named = method.Module.ResolveMethod(BitConverter.ToInt32(il, at), TypeArguments(method), MethodArguments(method))!;
                named = constraint is null ? named : Implementation(constraint, named);
                constraint = null;
            }

            yield return new IlInstruction(offset, code, named, [.. Successors(il, code, at, end)]);
            at = end;
        }
    }

    private static IEnumerable<int> Successors(byte[] il, OpCode code, int operand, int end)
    {
        if (code.FlowControl is not (FlowControl.Branch or FlowControl.Return or FlowControl.Throw))
        {
            yield return end;
        }

        switch (code.OperandType)
        {
            case OperandType.ShortInlineBrTarget:
                yield return end + (sbyte)il[operand];
                break;
            case OperandType.InlineBrTarget:
                yield return end + BitConverter.ToInt32(il, operand);
                break;
            case OperandType.InlineSwitch:
                for (int at = operand + 4; at < end; at += 4)
                {
                    yield return end + BitConverter.ToInt32(il, at);
                }

                break;
        }
    }

    /// <summary>What a type has for a static method of an interface.</summary>
    private static MethodBase Implementation(Type type, MethodBase named)
    {
        const BindingFlags all = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance;
        MethodInfo? found = type.GetMethods(all).FirstOrDefault(m =>
            (m.Name == named.Name || m.Name.EndsWith("." + named.Name, StringComparison.Ordinal))
            && m.GetParameters().Length == named.GetParameters().Length
            && m.GetGenericArguments().Length == (named.IsGenericMethod ? named.GetGenericArguments().Length : 0));
        return found is null ? named : found.IsGenericMethodDefinition ? found.MakeGenericMethod(named.GetGenericArguments()) : found;
    }

    private static Type[]? TypeArguments(MethodBase method) => method.DeclaringType is { IsGenericType: true } type ? type.GetGenericArguments() : null;

    private static Type[]? MethodArguments(MethodBase method) => method.IsGenericMethod ? method.GetGenericArguments() : null;

    private static int Size(OperandType operand) => operand switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        _ => 4,
    };
}
