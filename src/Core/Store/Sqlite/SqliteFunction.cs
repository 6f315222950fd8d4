using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KprobeTrace.Store.Sqlite;

/// <summary>A function of this project that SQL can call.</summary>
/// <remarks>No exception leaves a method that a derived class writes: the native frames above it could not be unwound.</remarks>
internal abstract unsafe class SqliteFunction
{
    /// <summary>The call that is under way: a connection makes one at a time.</summary>
    private readonly FunctionContext _context = new();

    /// <summary>What SQLite is to keep of this function, and gives back to <see cref="OnDestroy"/> when the connection closes.</summary>
    protected nint Keep() => GCHandle.ToIntPtr(GCHandle.Alloc(this));

    /// <summary>The function that SQLite calls, and the call.</summary>
    protected static T Of<T>(nint context, out FunctionContext call)
        where T : SqliteFunction
    {
        // SAFETY: each class registers its own callbacks.
        T function = Unsafe.As<T>(GCHandle.FromIntPtr(SqliteLibrary.UserData(context)).Target!);
        call = function._context;
        call.Set(context);
        return function;
    }

    // SAFETY (all callbacks, those of derived classes as well): SQLite passes a context and value pointers that are valid during the call;
    // what a function was registered with lives until SQLite gives it back.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    protected static void OnDestroy(nint data) => GCHandle.FromIntPtr(data).Free();
}
