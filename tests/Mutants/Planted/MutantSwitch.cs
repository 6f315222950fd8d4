// Added to each mutated project. Every planted fault asks here whether it is the one that runs.
internal static unsafe class MutantSwitch
{
    private static readonly int _active =
        int.TryParse(System.Environment.GetEnvironmentVariable("MUTANT_ACTIVE"), out int id) ? id : -1;

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

        return id == _active;
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
