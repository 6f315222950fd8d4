using System.Reflection;
using System.Reflection.Emit;

namespace KprobeTrace.Tests.Cpu.Handlers;

/// <summary>An instruction of a method's intermediate language that names another method, or calls by pointer.</summary>
/// <param name="Code">Its opcode.</param>
/// <param name="Method">The method it names, with the type arguments it has here; null for a call by pointer.</param>
internal readonly record struct IlInstruction(OpCode Code, MethodBase? Method)
{
    private static readonly Dictionary<int, OpCode> _codes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!)
        .ToDictionary(code => code.Value & 0xFFFF);

    /// <summary>All such instructions of a method, in order; empty when it has no body.</summary>
    public static IEnumerable<IlInstruction> Of(MethodBase method)
    {
        byte[] il = method.GetMethodBody()?.GetILAsByteArray() ?? [];
        Type? constraint = null;
        for (int at = 0; at < il.Length;)
        {
            int value = il[at++];
            OpCode code = _codes[value == 0xFE ? 0xFE00 | il[at++] : value];
            if (code.OperandType is OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType && code == OpCodes.Constrained)
            {
                constraint = method.Module.ResolveType(BitConverter.ToInt32(il, at), TypeArguments(method), MethodArguments(method));
            }
            else if (code.OperandType == OperandType.InlineMethod)
            {
                MethodBase named = method.Module.ResolveMethod(BitConverter.ToInt32(il, at), TypeArguments(method), MethodArguments(method))!;
                yield return new IlInstruction(code, constraint is null ? named : Implementation(constraint, named));
                constraint = null;
            }
            else if (code == OpCodes.Calli)
            {
                yield return new IlInstruction(code, null);
            }

            at += code.OperandType == OperandType.InlineSwitch ? 4 + (4 * BitConverter.ToInt32(il, at)) : Size(code.OperandType);
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
