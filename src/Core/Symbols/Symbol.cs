namespace KprobeTrace.Symbols;

/// <summary>A name for a guest address.</summary>
/// <param name="Name">The name, without a module prefix.</param>
/// <param name="Address">Link address of a kernel symbol, run-time address of a module's.</param>
/// <param name="Size">Bytes up to the next symbol, padding included; 0 when nothing follows.</param>
/// <param name="Type">
/// The letter nm and /proc/kallsyms print: T or t text, D or d data, R or r read-only data, B or b zero-initialised data,
/// W, w, V or v weak, A or a absolute; upper case for global symbols.
/// </param>
/// <param name="Module">Name of the module that defines it; empty for the kernel itself.</param>
public readonly record struct Symbol(string Name, ulong Address, ulong Size, char Type, string Module)
{
    /// <summary>Gets a value telling whether the symbol names code (T, t, W or w).</summary>
    public bool IsText => Type is 'T' or 't' or 'W' or 'w';

    /// <summary>Gets the address behind the symbol's last byte.</summary>
    public ulong End => Address + Size;
}
