using System.Reflection;
using System.Reflection.Emit;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.Binding;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Tests.Cpu.Handlers;

/// <summary>Every handler that the decoder can bind, found by following its code: with the type arguments it is bound with.</summary>
internal static unsafe class HandlerCatalogue
{
    private static readonly string[] _followed = ["KprobeTrace.Cpu.Binding", "KprobeTrace.Cpu.Blocks", "KprobeTrace.Cpu.Interpret", "KprobeTrace.Cpu.Simd", "KprobeTrace.Cpu.State"];
    private static readonly Dictionary<MethodBase, bool> _goesOn = [];

    /// <summary>All handlers, by name.</summary>
    public static IReadOnlyList<MethodInfo> All { get; } = [.. Find().OrderBy(Name, StringComparer.Ordinal)];

    /// <summary>Methods that handlers end with and that go on to another operation; those that are compiled on their own.</summary>
    public static IReadOnlyList<MethodInfo> Continuations { get; } =
        [.. All.SelectMany(Reached).OfType<MethodInfo>().Where(m => GoesOn(m) && !IsInlined(m)).Except(All).Distinct().OrderBy(Name, StringComparer.Ordinal)];

    /// <summary>A method with its type arguments, as C# writes it.</summary>
    public static string Name(MethodBase method)
    {
        string arguments = method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(TypeName))}>" : "";
        return $"{TypeName(method.DeclaringType!)}.{method.Name}{arguments}";
    }

    /// <summary>Whether a method may run the operation that follows, by itself or by what it calls in its place.</summary>
    public static bool GoesOn(MethodBase method)
    {
        if (_goesOn.TryGetValue(method, out bool known))
        {
            return known;
        }

        _goesOn[method] = false;
        return _goesOn[method] = IsOperation(method) && IlInstruction.Of(method).Any(i =>
            i.Method is null
                ? i.Code == OpCodes.Calli && method.DeclaringType == typeof(Flow)
                : i.Code.FlowControl == FlowControl.Call && IsFollowed(i.Method) && GoesOn(i.Method));
    }

    /// <summary>All methods of the interpreter that a method's code reaches, itself included.</summary>
    public static HashSet<MethodBase> Reached(MethodBase from)
    {
        HashSet<MethodBase> seen = [from];
        Stack<MethodBase> open = new([from]);
        while (open.TryPop(out MethodBase? method))
        {
            foreach (IlInstruction i in IlInstruction.Of(method))
            {
                if (i.Method is not null && i.Code.FlowControl == FlowControl.Call && IsFollowed(i.Method) && seen.Add(i.Method))
                {
                    open.Push(i.Method);
                }
            }
        }

        return seen;
    }

    public static bool IsInlined(MethodBase method) => (method.MethodImplementationFlags & MethodImplAttributes.AggressiveInlining) != 0;

    private static HashSet<MethodInfo> Find()
    {
        HashSet<MethodInfo> handlers = [];
        HashSet<MethodBase> seen = [];
        Stack<MethodBase> open = new(typeof(OpBinder).Assembly.GetTypes()
            .Where(t => t.Namespace is "KprobeTrace.Cpu.Binding" or "KprobeTrace.Cpu.Blocks" || t == typeof(Processor))
            .SelectMany(t => t.GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            .Where(m => !m.ContainsGenericParameters));
        while (open.TryPop(out MethodBase? method))
        {
            foreach (IlInstruction i in seen.Add(method) ? IlInstruction.Of(method) : [])
            {
                if (i.Method is null || !IsFollowed(i.Method))
                {
                    continue;
                }

                if (i.Code == OpCodes.Ldftn && IsOperation(i.Method))
                {
                    handlers.Add((MethodInfo)i.Method);
                }
                else if (!seen.Contains(i.Method))
                {
                    open.Push(i.Method);
                }
            }
        }

        return handlers;
    }

    public static bool IsFollowed(MethodBase method) =>
        method.DeclaringType is Type type && _followed.Contains(type.Namespace) && !method.ContainsGenericParameters;

    private static bool IsOperation(MethodBase method) => method is MethodInfo { IsStatic: true } m && m.ReturnType == typeof(Op*);

    private static string TypeName(Type type)
    {
        string name = type.Name.Split('`')[0];
        return type.IsGenericType ? $"{name}<{string.Join(", ", type.GetGenericArguments().Select(TypeName))}>" : name;
    }
}
