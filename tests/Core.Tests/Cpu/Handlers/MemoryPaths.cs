using System.Reflection;
using System.Reflection.Emit;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.Interpret;

namespace KprobeTrace.Tests.Cpu.Handlers;

/// <summary>How often a handler's code goes to guest memory on the way that goes there most.</summary>
internal static class MemoryPaths
{
    private static readonly string[] _accesses =
    [
        nameof(MemoryAccess.TryLoad), nameof(MemoryAccess.TryStore), nameof(MemoryAccess.SlowLoad), nameof(MemoryAccess.SlowStore),
        nameof(MemoryAccess.SlowStoreBytes), nameof(MemoryAccess.SlowModify), nameof(MemoryAccess.Commit),
    ];

    private static readonly string[] _misses = [nameof(MemoryAccess.MissLoad), nameof(MemoryAccess.MissStore), nameof(MemoryAccess.MissModify)];

    /// <summary>Whether a handler may be executed on the bounce buffer.</summary>
    public static bool CanMiss(MethodBase handler) =>
        HandlerCatalogue.Reached(handler).SelectMany(IlInstruction.Of).Any(i => i.Method is MethodBase m && IsMiss(m));

    /// <summary>Most accesses on any way through a method; what it does by the processor's own methods counts as one each.</summary>
    public static int Most(MethodBase method)
    {
        Dictionary<int, IlInstruction> code = IlInstruction.Of(method).ToDictionary(i => i.Offset);
        Dictionary<int, int> known = [];
        return code.Count == 0 ? 0 : From(0);

        int From(int offset)
        {
            if (known.TryGetValue(offset, out int most))
            {
                return most;
            }

            // A loop is taken once; a second round would only repeat what the first has shown.
            known[offset] = 0;
            IlInstruction i = code[offset];
            int here = i.Method is MethodBase called && i.Code.FlowControl == FlowControl.Call ? Of(called) : 0;
            return known[offset] = here + i.Next.Select(From).DefaultIfEmpty().Max();
        }
    }

    private static int Of(MethodBase called)
    {
        if (called.DeclaringType == typeof(MemoryAccess) && _accesses.Contains(called.Name))
        {
            return IsWrapper(called) ? Most(called) : 1;
        }

        return IsMiss(called) ? 0
            : called.DeclaringType == typeof(Processor) ? (called.Name == nameof(Processor.Of) ? 0 : 1)
            : HandlerCatalogue.IsFollowed(called) ? Most(called)
            : 0;
    }

    /// <summary>The store that gives a pointer or null is made of the one that answers whether.</summary>
    private static bool IsWrapper(MethodBase method) => method is MethodInfo { Name: nameof(MemoryAccess.TryStore), ReturnType.IsPointer: true };

    private static bool IsMiss(MethodBase method) => method.DeclaringType == typeof(MemoryAccess) && _misses.Contains(method.Name);
}
