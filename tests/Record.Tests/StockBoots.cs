using System.Globalization;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Boots of stock kernels, each recorded once and shared by the tests that look at it.</summary>
public sealed class StockBoots : IDisposable
{
    /// <summary>Functions that every boot calls often.</summary>
    private static readonly string[] _busy =
    [
        "vfs_read", "vfs_write", "vfs_open", "kmem_cache_alloc", "kmem_cache_free", "kfree", "handle_mm_fault", "schedule", "dput",
        "mntput", "fput", "link_path_walk", "path_openat", "walk_component", "lookup_fast", "filp_close", "mutex_lock", "mutex_unlock",
        "wake_up_process", "try_to_wake_up", "enqueue_task_fair", "dequeue_task_fair", "update_curr", "account_system_time",
        "hrtimer_interrupt", "do_anonymous_page", "do_wp_page", "copy_page_range", "unmap_page_range", "do_exit", "kernel_clone",
        "bprm_execve", "do_sys_openat2", "page_add_new_anon_rmap", "get_page_from_freelist", "free_unref_page", "kernfs_find_ns",
        "idr_alloc_cyclic", "console_unlock", "serial8250_console_write",
    ];

    private static readonly string[] _userCommand =
    [
        "-p", "p:fork kernel_clone",
        "-p", "p:open do_sys_openat2 dfd=%di name=+0(%si):ustring",
        "-p", "r:open_ret do_sys_openat2 ret=$retval",
    ];

    private readonly Folder _folder = new();
    private readonly SemaphoreSlim _processors = new(2);
    private readonly Lazy<Task<Boot>> _cloud;
    private readonly Lazy<Task<Boot>> _cloudAgain;
    private readonly Lazy<Task<Boot>> _cloudManyProbes;
    private readonly Lazy<Task<Boot>> _generic;
    private readonly Lazy<Task<Boot>> _debian13;
    private readonly Lazy<Task<Boot>> _newest;
    private readonly Lazy<Task<Boot>> _panic;
    private readonly Lazy<Task<IReadOnlyDictionary<ulong, long>>> _counts;
    private readonly Lazy<IReadOnlyList<(string Definition, ulong Address)>> _manyProbes;

    public StockBoots()
    {
        _cloud = new(() => Record("cloud", StockGuest.CloudKernel, initramfs: true, _userCommand));
        _cloudAgain = new(() => Record("again", StockGuest.CloudKernel, initramfs: true, _userCommand));
        _generic = new(() => Record("amd64", StockGuest.GenericKernel, initramfs: true, _userCommand));
        _debian13 = new(() => Record("debian13", StockGuest.PathOf("vmlinuz-6.12-amd64"), initramfs: true, _userCommand));
        _newest = new(() => Record("newest", StockGuest.PathOf("vmlinuz-7-cloud"), initramfs: true, _userCommand));
        _panic = new(() => Record("panic", StockGuest.CloudKernel, initramfs: false, ["-p", "p:panic panic"]));
        _manyProbes = new(() => ChooseProbes(400));
        _cloudManyProbes = new(RecordManyProbes);
        _counts = new(() => Task.Run(Count));
        if (StockGuest.Missing is null)
        {
            // Boots that almost every test waits for run side by side from the start.
            _ = (_cloud.Value, _cloudManyProbes.Value, _generic.Value, _cloudAgain.Value, _panic.Value, _counts.Value, _debian13.Value, _newest.Value);
        }
    }

    /// <summary>The cloud kernel with the three probes of the README.</summary>
    internal Boot Cloud => _cloud.Value.GetAwaiter().GetResult();

    /// <summary>The same command once more.</summary>
    internal Boot CloudAgain => _cloudAgain.Value.GetAwaiter().GetResult();

    /// <summary>The cloud kernel with some hundred probes: entries, returns, instructions inside functions.</summary>
    internal Boot CloudManyProbes => _cloudManyProbes.Value.GetAwaiter().GetResult();

    /// <summary>The amd64 kernel with the three probes of the README.</summary>
    internal Boot Generic => _generic.Value.GetAwaiter().GetResult();

    /// <summary>Debian 13's amd64 kernel, 6.12, with the three probes of the README.</summary>
    internal Boot Debian13 => _debian13.Value.GetAwaiter().GetResult();

    /// <summary>The newest cloud kernel, 7.x, with the three probes of the README.</summary>
    internal Boot Newest => _newest.Value.GetAwaiter().GetResult();

    /// <summary>The cloud kernel without an initramfs: it finds no root, panics and resets.</summary>
    internal Boot Panic => _panic.Value.GetAwaiter().GetResult();

    /// <summary>How often the engine began each instruction that <see cref="CloudManyProbes"/> probes, in a run without probes.</summary>
    internal IReadOnlyDictionary<ulong, long> Counts => _counts.Value.GetAwaiter().GetResult();

    /// <summary>A fresh path for what a test makes.</summary>
    internal string this[string file] => _folder[file];

    internal string FolderName => _folder.Name;

    public void Dispose()
    {
        // Files go only when no boot writes them any more.
        Task[] running = [.. new Lazy<Task<Boot>>[] { _cloud, _cloudAgain, _cloudManyProbes, _generic, _debian13, _newest, _panic }.Where(b => b.IsValueCreated).Select(b => b.Value)];
        ((IAsyncResult)Task.WhenAll(running)).AsyncWaitHandle.WaitOne();
        _folder.Dispose();
        _processors.Dispose();
    }

    private static RecordingOptions Options() => new()
    {
        Image = StockGuest.CloudKernel,
        Load = new ImageLoadOptions { MemorySize = 512 << 20, CommandLine = "console=ttyS0 panic=-1", InitrdPath = StockGuest.Initramfs },
    };

    private async Task<Boot> Record(string name, string kernel, bool initramfs, string[] probes)
    {
        await _processors.WaitAsync();
        try
        {
            string trace = _folder[name + ".mpk"];
            string[] initrd = initramfs ? ["--initrd", StockGuest.Initramfs] : [];
            return await Task.Run(() =>
            {
                using ToolRun run = ToolRun.Record(_folder.Name, [kernel, .. initrd, .. probes, "-o", trace]);
                return new Boot(run.Exit, run.Output, run.Error, trace);
            });
        }
        finally
        {
            _processors.Release();
        }
    }

    private async Task<Boot> RecordManyProbes()
    {
        string file = _folder["probes"];
        await File.WriteAllLinesAsync(file, await Task.Run(() => _manyProbes.Value.Select(p => p.Definition)));
        return await Record("many", StockGuest.CloudKernel, initramfs: true, ["--probe-file", file]);
    }

    /// <summary>Busy functions, and every so-many-th function of the image; in turn their entry, their return, an
    /// instruction inside them.</summary>
    private static List<(string Definition, ulong Address)> ChooseProbes(int count)
    {
        using GuestSession session = GuestSession.Open(Options(), _ => { });
        List<Symbol> functions = [.. session.Symbols.All().Where(s => s.IsText && s.Size > 32 && session.Symbols.FindAll(s.Name).Count == 1)];
        List<Symbol> chosen = [.. functions.Where(f => _busy.Contains(f.Name))];
        int step = functions.Count / count;
        chosen.AddRange(functions.Where((f, i) => i % step == 0 && !_busy.Contains(f.Name) && session.Kprobes.CanProbe(f.Address).IsSuccess));
        List<(string, ulong)> probes = [];
        foreach (Symbol f in chosen)
        {
            int number = probes.Count;
            if (number % 4 == 3)
            {
                probes.Add(($"r:probe{number} {f.Name} $retval", f.Address));
                continue;
            }

            uint offset = 0;
            if (number % 4 == 1)
            {
                offset = 5;
                while (offset < 24 && !session.Kprobes.CanProbe(f.Address + offset).IsSuccess)
                {
                    offset++;
                }
            }

            probes.Add((string.Create(CultureInfo.InvariantCulture, $"p:probe{number} {f.Name}+{offset} %di"), f.Address + offset));
        }

        return probes;
    }

    private async Task<IReadOnlyDictionary<ulong, long>> Count()
    {
        await _processors.WaitAsync();
        try
        {
            using GuestSession session = GuestSession.Open(Options(), _ => { });
            using FunctionCounts counts = new(
                session, _manyProbes.Value.Select(p => p.Address).Distinct().Select(a => new Symbol("", a, 1, 't', "")));
            Assert.Equal(PowerState.PoweredOff, session.Machine.Run());
            return counts.Counts().ToDictionary(c => c.Function.Address, c => c.Count);
        }
        finally
        {
            _processors.Release();
        }
    }

    /// <summary>One boot: how it ended and what it left.</summary>
    internal sealed record Boot(int Exit, string Output, string Error, string TracePath)
    {
        public string[] Lines { get; } = Output.Replace("\r", "", StringComparison.Ordinal).Split('\n');

        public WholeTrace Read() => WholeTrace.Read(TracePath);
    }
}
