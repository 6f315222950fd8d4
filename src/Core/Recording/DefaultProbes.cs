using KprobeTrace.Session;
using KprobeTrace.Symbols;

namespace KprobeTrace.Recording;

/// <summary>The probes of a recording whose user named none.</summary>
internal static class DefaultProbes
{
    /// <summary>Most functions that are probed in an image that is no Linux.</summary>
    public const int MaxFunctions = 4096;

    private static readonly string[] _linux =
    [
        "p:fork kernel_clone",
        "p:exec bprm_execve",
        "p:exit do_exit code=%di:s64",
        "p:open do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring",
        "r:open_ret do_sys_openat2 ret=$retval:s64",
        "p:read vfs_read count=%dx:u64",
        "r:read_ret vfs_read ret=$retval:s64",
        "p:write vfs_write count=%dx:u64",
        "r:write_ret vfs_write ret=$retval:s64",
        "p:fault handle_mm_fault address=%si:x64",
        "r:fault_ret handle_mm_fault ret=$retval:x32",
        "p:signal force_sig_fault signal=%di:s32 address=%dx:x64",
    ];

    /// <summary>Definitions that suit the guest: process, file and fault events for Linux, every function of any other
    /// image with symbols, the entry point of a bare one.</summary>
    public static IReadOnlyList<string> For(GuestSession session)
    {
        ArgumentNullException.ThrowIfNull(session);
        if (session.Image.IsLinux)
        {
            return [.. _linux.Where(line => session.Symbols.FindAll(line.Split(' ')[1]).Count == 1)];
        }

        List<string> functions = [];
        foreach (Symbol symbol in session.Symbols.All())
        {
            bool usable = symbol.IsText && symbol.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.');
            if (usable && session.Symbols.FindAll(symbol.Name).Count == 1 && session.Kprobes.CanProbe(symbol.Address).IsSuccess
                && functions.Count < MaxFunctions)
            {
                string name = symbol.Name.Replace('.', '_');
                functions.Add($"p:{name} {symbol.Name}");
            }
        }

        return functions.Count > 0 ? functions : [$"p:entry 0x{session.Image.EntryLink:x}"];
    }
}
