// Added to each mutated project. Every planted fault asks here whether it is the one that runs.
#nullable enable
internal static unsafe class MutantSwitch
{
    // One id or several, between commas.
    private static readonly int[] _on = System.Array.ConvertAll(
        (System.Environment.GetEnvironmentVariable("MUTANT_ACTIVE") ?? "-1").Split(','), static id => int.Parse(id, System.Globalization.CultureInfo.InvariantCulture));

    private static readonly int _active = _on[0];

    private static readonly bool[]? _several = _on.Length > 1 ? Flags(_on) : null;

    private static readonly byte* _reached = Map(System.Environment.GetEnvironmentVariable("MUTANT_REACHED"));

    // Known before any handler of the interpreter is compiled, so that the compiler leaves the other branch out.
    [System.Runtime.CompilerServices.ModuleInitializer]
    internal static void Initialize() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(MutantSwitch).TypeHandle);

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveInlining)]
    internal static bool Is(int id)
    {
        if (_reached != null)
        {
            _reached[id] = 1;
        }

        return _several == null ? id == _active : (uint)id < (uint)_several.Length && _several[id];
    }

    private static bool[] Flags(int[] ids)
    {
        bool[] flags = new bool[System.Linq.Enumerable.Max(ids) + 1];
        foreach (int id in ids)
        {
            flags[id] = true;
        }

        return flags;
    }

    // One byte a mutant, in a file that the tests' process and the tools it starts share; it outlives any way of ending.
    private static byte* Map(string? path)
    {
        if (path is null)
        {
            return null;
        }

        var file = System.IO.MemoryMappedFiles.MemoryMappedFile.CreateFromFile(path);
        byte* pointer = null;
        file.CreateViewAccessor().SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        return pointer;
    }
}
