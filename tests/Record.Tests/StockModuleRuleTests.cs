using KprobeTrace.Guest;
using KprobeTrace.Kprobes;
using KprobeTrace.Machine;
using KprobeTrace.Session;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>What the kprobes API says of a stock module in every state, asked in one boot while the guest runs.</summary>
public sealed class StockModuleRuleTests(StockModuleRuleTests.Answers answers) : IClassFixture<StockModuleRuleTests.Answers>
{
    /// <summary>The answers of one boot; module <c>brd</c> comes and goes twice in it.</summary>
    public sealed class Answers
    {
        private readonly Kprobe _submit = new() { SymbolName = "brd:brd_submit_bio" };
        private readonly Kprobe _init = new() { SymbolName = "brd:brd_init" };
        private ulong _initAddress;
        private int _comings;

        public Answers()
        {
            if (StockGuest.Missing is not null)
            {
                return;
            }

            using GuestSession session = GuestSession.Open(ModuleBoots.Options, _ => { });
            KprobeSubsystem kprobes = session.Kprobes;
            Before = kprobes.RegisterKprobe(new Kprobe { SymbolName = "brd:brd_submit_bio" });
            Kprobe exit = new()
            {
                SymbolName = "brd:brd_exit",
                PreHandler = (_, ref _) =>
                {
                    Going = kprobes.RegisterKprobe(new Kprobe { SymbolName = "brd:brd_submit_bio", Offset = 5 });
                    return 0;
                },
            };
            Kprobe trim = new()
            {
                SymbolName = "trim_init_extable",
                PreHandler = (_, ref registers) =>
                {
                    if (_initAddress != 0 && Live is null && session.Text.Modules.Any(m => m.Name == "brd" && m.Address != 0))
                    {
                        Live = kprobes.RegisterKprobe(new Kprobe { Addr = _initAddress });
                    }

                    return 0;
                },
            };
            Assert.True(kprobes.RegisterKprobe(trim).IsSuccess);
            session.Watch!.ModuleLoaded += module =>
            {
                if (module.Name == "brd")
                {
                    Coming(session, module, exit);
                }
            };
            session.Watch.ModuleLive += module =>
            {
                if (module.Name == "brd")
                {
                    ListLive ??= kprobes.List();
                    InitAfterwards ??= kprobes.RegisterKprobe(new Kprobe { SymbolName = "brd:brd_init" });
                }
            };
            session.Watch.ModuleUnloaded += name =>
            {
                if (name == "brd")
                {
                    ListGone ??= kprobes.List();
                    EnableGone ??= kprobes.EnableKprobe(_submit);
                    JumpLabelAfterwards ??= session.Text.IsJumpLabel(JumpLabel);
                }
            };
            Power = session.Machine.Run();
        }

        internal PowerState Power { get; private set; }

        internal KprobeResult Before { get; }

        internal KprobeResult? Going { get; private set; }

        internal KprobeResult? Live { get; private set; }

        internal KprobeResult? InitAfterwards { get; private set; }

        internal KprobeResult? Unknown { get; private set; }

        internal KprobeResult? AtJumpLabel { get; private set; }

        internal KprobeResult? AtBug { get; private set; }

        internal KprobeResult? EnableGone { get; private set; }

        internal List<KprobeResult> Registrations { get; } = [];

        internal List<(ulong Address, ulong Hits)> Runs { get; } = [];

        internal ulong JumpLabel { get; private set; }

        internal bool? JumpLabelAfterwards { get; private set; }

        internal byte[] BugBytes { get; } = new byte[2];

        internal string? ListLive { get; private set; }

        internal string? ListGone { get; private set; }

        internal ulong SubmitAddress { get; private set; }

        internal ulong InitAddress => _initAddress;

        internal ulong InitHits => _init.Hits;

        internal Kprobe Submit => _submit;

        /// <summary>The module is there and its init function has not run.</summary>
        private void Coming(GuestSession session, GuestModule module, Kprobe exit)
        {
            KprobeSubsystem kprobes = session.Kprobes;
            if (_comings++ > 0)
            {
                // A second time: the same structure, taken out and cleared as Linux wants it.
                Runs.Add((_submit.Addr, _submit.Hits));
                kprobes.UnregisterKprobe(_submit);
                _submit.Addr = 0;
                _submit.Flags = KprobeStatus.None;
                Registrations.Add(kprobes.RegisterKprobe(_submit));
                return;
            }

            Registrations.Add(kprobes.RegisterKprobe(_submit));
            Registrations.Add(kprobes.RegisterKprobe(_init));
            Registrations.Add(kprobes.RegisterKprobe(exit));
            SubmitAddress = _submit.Addr;
            _initAddress = _init.Addr;
            Unknown = kprobes.RegisterKprobe(new Kprobe { SymbolName = "brd:nosuch" });
            JumpLabel = module.Tables.JumpLabels.Addresses[0];
            AtJumpLabel = kprobes.RegisterKprobe(new Kprobe { Addr = JumpLabel });
            ulong bug = module.Tables.BugSites.Addresses[0];
            AtBug = kprobes.RegisterKprobe(new Kprobe { Addr = bug });
            Assert.True(session.TryRead(bug, BugBytes));
        }
    }

    [StockGuestFact]
    public void Functions_of_a_module_are_unknown_before_it_comes()
    {
        Assert.Equal((PowerState.PoweredOff, -2), (answers.Power, answers.Before.Errno));
        Assert.Equal("no symbol brd:brd_submit_bio", answers.Before.Reason);
    }

    [StockGuestFact]
    public void A_coming_module_takes_probes_on_core_and_init_text()
    {
        Assert.All(answers.Registrations, r => Assert.Equal((0, ""), (r.Errno, r.Reason)));
        Assert.Equal(1ul, answers.InitHits);
    }

    [StockGuestFact]
    public void Unknown_function_jump_label_and_bug_of_a_module_are_refused()
    {
        Assert.Equal((-2, "no symbol brd:nosuch"), (answers.Unknown!.Value.Errno, answers.Unknown.Value.Reason));
        Assert.Equal(-22, answers.AtJumpLabel!.Value.Errno);
        Assert.EndsWith("is a jump label, which the kernel rewrites", answers.AtJumpLabel.Value.Reason, StringComparison.Ordinal);
        Assert.Equal(-22, answers.AtBug!.Value.Errno);
        Assert.EndsWith("is the trap of a BUG or WARN", answers.AtBug.Value.Reason, StringComparison.Ordinal);
        Assert.Equal([0x0F, 0x0B], answers.BugBytes);
        Assert.False(answers.JumpLabelAfterwards);
    }

    [StockGuestFact]
    public void Init_text_is_refused_from_the_moment_the_module_is_live_and_its_probes_are_gone()
    {
        Assert.Equal(-2, answers.Live!.Value.Errno);
        Assert.EndsWith("is module text that is gone or going", answers.Live.Value.Reason, StringComparison.Ordinal);
        Assert.Equal((-2, "no symbol brd:brd_init"), (answers.InitAfterwards!.Value.Errno, answers.InitAfterwards.Value.Reason));
        Assert.Contains($"{answers.InitAddress:x16}  k  0x{answers.InitAddress:x} [GONE]\n", answers.ListLive, StringComparison.Ordinal);
        Assert.Contains($"{answers.SubmitAddress:x16}  k  brd_submit_bio+0x0  brd [OPTIMIZED]\n", answers.ListLive, StringComparison.Ordinal);
    }

    [StockGuestFact]
    public void A_going_module_refuses_probes_while_its_exit_function_still_runs() =>
        Assert.Equal((-2, true), (answers.Going!.Value.Errno, answers.Going.Value.Reason.Contains("gone or going", StringComparison.Ordinal)));

    [StockGuestFact]
    public void Probes_on_a_module_that_went_away_are_listed_as_gone_and_cannot_be_enabled()
    {
        Assert.Contains($"{answers.SubmitAddress:x16}  k  0x{answers.SubmitAddress:x} [GONE]\n", answers.ListGone, StringComparison.Ordinal);
        Assert.Equal((-22, "the probed text is gone"), (answers.EnableGone!.Value.Errno, answers.EnableGone.Value.Reason));
    }

    [StockGuestFact]
    public void A_probe_that_is_taken_out_and_registered_again_fires_at_the_modules_new_address()
    {
        (ulong address, ulong hits) = Assert.Single(answers.Runs);
        Assert.Equal(answers.SubmitAddress, address);
        Assert.NotEqual(address, answers.Submit.Addr);
        Assert.True(hits > 0);
        Assert.Equal(hits, answers.Submit.Hits);
        Assert.True(answers.Submit.Flags.HasFlag(KprobeStatus.Gone));
    }
}
