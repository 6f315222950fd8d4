using Xunit;
using Xunit.Abstractions;

namespace KprobeTrace.Tests.Record;

/// <summary>Call stacks of a stock kernel: those of a call's entry and its return, and those that pass functions whose return
/// address the kernel itself has replaced.</summary>
public sealed class StockStackTests(StockStackTests.Boots boots, ITestOutputHelper output) : IClassFixture<StockStackTests.Boots>
{
    [StockGuestTheory]
    [InlineData("plain")]
    [InlineData("probed")]
    [InlineData("traced")]
    public void Entry_and_return_of_a_call_have_the_same_stack(string name)
    {
        StackTrace boot = boots[name];
        Assert.All(boot.Calls, c => Assert.Equal((c.Function, boot.Show(c.Entry)), (c.Function, boot.Show(c.Return))));
        output.WriteLine(string.Join('\n', boot.Calls.CountBy(c => c.Function).Select(f => $"{f.Value,7} {f.Key}")));
        Assert.True(boot.Calls.Count > 10_000);
        Assert.All(Boots.Functions, f => Assert.Contains(boot.Calls, c => c.Function == f));
    }

    [StockGuestTheory]
    [InlineData("plain")]
    [InlineData("probed")]
    [InlineData("traced")]
    public void Innermost_address_of_a_stack_is_the_one_the_function_returns_to(string name)
    {
        StackTrace boot = boots[name];
        Assert.All(boot.Calls, c => Assert.True(
            c.Entry[0] == c.Caller || boot.Trampolines.Contains(c.Caller), $"{c.Function}: {boot.Show(c.Entry)}"));
    }

    [StockGuestFact]
    public void Stack_of_a_system_call_reaches_from_its_direct_caller_to_the_entry()
    {
        string[] stacks = [.. boots["plain"].Calls.Where(c => c.Function == "do_sys_openat2").Select(c => boots["plain"].Names(c.Return)).Distinct()];

        Assert.Contains("__x64_sys_openat do_syscall_64 entry_SYSCALL_64_after_hwframe", stacks);
    }

    [StockGuestTheory]
    [InlineData("probed")]
    [InlineData("traced")]
    public void Stacks_pass_the_kernels_own_return_trampolines_as_if_there_were_none(string name)
    {
        StackTrace boot = boots[name];
        Assert.True(boot.Replaced > 100);
        Assert.All(boot.Calls, c => Assert.DoesNotContain(c.Entry, a => boot.Trampolines.Contains(a)));

        // What a process of the initramfs does is the same in each boot.
        foreach (string function in Boots.Below)
        {
            Assert.Equal(boots["plain"].DistinctStacks(function, "workload"), boot.DistinctStacks(function, "workload"));
        }
    }

    /// <summary>Three boots of the cloud kernel: as it is, with return probes of its own, and with its function graph tracer.</summary>
    public sealed class Boots : IDisposable
    {
        /// <summary>Functions that end in a jump, recurse, are called by functions that never return, from assembly and from
        /// interrupts, that keep their frame by a register or by the stack pointer.</summary>
        internal static readonly string[] Functions =
        [
            "do_sys_openat2", "do_filp_open", "path_openat", "walk_component", "vfs_open", "path_put", "mntput",
            "mntput_no_expire", "mul_n", "exit_mm_release", "exit_files", "do_syscall_64", "schedule_tail", "handle_mm_fault",
            "hrtimer_interrupt", "update_process_times", "handle_softirqs", "kernel_clone", "copy_process", "bprm_execve", "begin_new_exec",
            "vfs_read", "vfs_write", "pipe_read", "do_wp_page", "wake_up_process", "kfree", "kernel_init",
        ];

        /// <summary>Functions that are called below those that <see cref="_replaced"/> names.</summary>
        internal static readonly string[] Below = ["do_filp_open", "walk_component", "vfs_open", "mntput", "mntput_no_expire", "begin_new_exec"];

        /// <summary>Functions whose return address the kernel is made to replace.</summary>
        private static readonly string[] _replaced = ["do_sys_openat2", "path_openat", "path_put", "mntput", "bprm_execve", "handle_mm_fault", "do_exit"];

        private readonly Folder _folder = new();
        private readonly Dictionary<string, Task<StackTrace>> _boots = [];

        public Boots()
        {
            if (StockGuest.Missing is null)
            {
                string probes = string.Join(';', _replaced.Select((f, i) => FormattableString.Invariant($"r:guest{i},{f}")));
                _boots["plain"] = Task.Run(() => Record("plain", ""));
                _boots["probed"] = Task.Run(() => Record("probed", $" kprobe_event={probes}"));
                _boots["traced"] = Task.Run(() => Record("traced", $" ftrace=function_graph ftrace_graph_filter={string.Join(',', _replaced)} ftrace_graph_max_depth=3"));
            }
        }

        internal StackTrace this[string name] => _boots[name].GetAwaiter().GetResult();

        public void Dispose()
        {
            ((IAsyncResult)Task.WhenAll(_boots.Values)).AsyncWaitHandle.WaitOne();
            _folder.Dispose();
        }

        private StackTrace Record(string name, string append)
        {
            string trace = _folder[name + ".mpk"];
            List<string> command =
                [StockGuest.CloudKernel, "--initrd", StockGuest.Initramfs, "--append", "console=ttyS0 panic=-1" + append, "--kinds", "pre,ret", "--allow-blacklisted", "-o", trace];
            foreach (string function in Functions)
            {
                command.AddRange(["-p", $"p:{function}_in {function} stack", "-p", $"r:{function} {function} stack"]);
            }

            using ToolRun run = ToolRun.Record(_folder.Name, [.. command]);
            Assert.True(run.Exit == 0, run.Error);
            return new StackTrace(trace);
        }
    }
}
