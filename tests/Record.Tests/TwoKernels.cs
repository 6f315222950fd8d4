using KprobeTrace.Kprobes;
using KprobeTrace.Loaders;
using KprobeTrace.Recording;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Boots for comparison under probes of memory, files, scheduling and processes: of both stock kernels, and of one that was
/// interfered with.</summary>
public sealed class TwoKernels : IDisposable
{
    /// <summary>Which write of the guest is made shorter.</summary>
    internal const int PlantedHit = 31;

    private static readonly string[] _probes =
    [
        "p:fork kernel_clone",
        "p:open do_sys_openat2 dfd=%di name=+0(%si):ustring",
        "r:open_ret do_sys_openat2 ret=$retval",
        "p:alloc kmem_cache_alloc",
        "r:alloc_ret kmem_cache_alloc",
        "p:free kfree",
        "p:read vfs_read",
        "r:read_ret vfs_read ret=$retval:s64",
        "p:write vfs_write count=%dx:u64",
        "r:write_ret vfs_write ret=$retval:s64",
        "p:switch schedule",
        "p:wake try_to_wake_up",
        "p:fault handle_mm_fault",
        "p:exec bprm_execve",
        "p:exit do_exit code=%di",
    ];

    private readonly Folder _folder = new();
    private readonly Lazy<string> _cloud;
    private readonly Lazy<string> _generic;
    private readonly Lazy<string> _planted;

    public TwoKernels()
    {
        _cloud = new(() => Record("cloud.mpk", StockGuest.CloudKernel, plant: false));
        _generic = new(() => Record("amd64.mpk", StockGuest.GenericKernel, plant: false));
        _planted = new(() => Record("planted.mpk", StockGuest.CloudKernel, plant: true));
    }

    /// <summary>Trace of the cloud kernel.</summary>
    internal string Cloud => _cloud.Value;

    /// <summary>Trace of the amd64 kernel.</summary>
    internal string Generic => _generic.Value;

    /// <summary>Trace of the cloud kernel in which one write was asked for one byte less.</summary>
    internal string Planted => _planted.Value;

    internal string FolderName => _folder.Name;

    public void Dispose() => _folder.Dispose();

    private string Record(string name, string kernel, bool plant)
    {
        string trace = _folder[name];
        using Recorder recorder = Recorder.Open(
            new RecordingOptions
            {
                Image = kernel,
                Load = new ImageLoadOptions { MemorySize = 512 << 20, CommandLine = "console=ttyS0 panic=-1", InitrdPath = StockGuest.Initramfs },
                Probes = _probes,
                Kinds = EventKinds.Pre | EventKinds.Return,
                Output = trace,
            },
            console: null);
        if (plant)
        {
            Plant(recorder.Session.Kprobes);
        }

        Assert.False(recorder.Run().Crashed);
        return trace;
    }

    private static void Plant(KprobeSubsystem kprobes)
    {
        int hits = 0;
        Kprobe shorten = new()
        {
            // The caller of the probed vfs_write, so that its probe sees the register as it was made.
            SymbolName = "ksys_write",
            PreHandler = (probe, ref registers) =>
            {
                if (++hits == PlantedHit)
                {
                    registers.Dx--;
                }

                return 0;
            },
        };
        Assert.True(kprobes.RegisterKprobe(shorten).IsSuccess);
    }
}
