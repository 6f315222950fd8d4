using System.Text;
using KprobeTrace.Kprobes;
using KprobeTrace.Machine;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>Whoever moves the guest from inside its own run is refused, and the guest does not notice.</summary>
public sealed class RunningGuestTests
{
    private static readonly Dictionary<string, Action<GuestSession>> _moves = new(StringComparer.Ordinal)
    {
        ["GuestMachine.Run"] = guest => guest.Machine.Run(),
        ["GuestMachine.Run to a limit that has passed"] = guest => guest.Machine.Run(0),
        ["GuestMachine.Dispose"] = guest => guest.Machine.Dispose(),
        ["GuestSession.Dispose"] = guest => guest.Dispose(),
        ["Processor.Run"] = guest => guest.Machine.Processors.Bootstrap.Run(),
        ["Processor.SingleStep"] = guest => guest.Machine.Processors.Bootstrap.SingleStep(),
        ["Processor.Reset"] = guest => guest.Machine.Processors.Bootstrap.Reset(),
        ["Processors.Dispose"] = guest => guest.Machine.Processors.Dispose(),
        ["PhysicalMemory.Dispose"] = guest => guest.Machine.Memory.Dispose(),
    };

    public static TheoryData<string> Moves => [.. _moves.Keys];

    private static string Image => Repository.PathOf("guests/demo/demo.elf");

    [Theory]
    [MemberData(nameof(Moves))]
    public void Moving_the_guest_from_a_handler_is_refused_and_harmless(string move)
    {
        (string plain, long retired) = Run((_, _) => { });
        List<string> refusals = [];

        (string console, long moved) = Run((guest, _) => refusals.Add(Assert.Throws<InvalidOperationException>(() => _moves[move](guest)).Message));

        Assert.NotEmpty(refusals);
        Assert.All(refusals, message => Assert.Contains("while the guest runs: return from the handler first", message, StringComparison.Ordinal));
        Assert.Equal((plain, retired), (console, moved));
    }

    [Theory]
    [MemberData(nameof(Moves))]
    public void A_refusal_that_nobody_catches_ends_the_run_and_the_next_run_goes_on(string move)
    {
        (string plain, long retired) = Run((_, _) => { });

        (string console, long moved) = Run((guest, hit) =>
        {
            if (hit == 2)
            {
                _moves[move](guest);
            }
        });

        Assert.Equal((plain, retired), (console, moved));
    }

    [Fact]
    public void The_consoles_receiver_is_refused_as_well()
    {
        (string plain, long retired) = Run((_, _) => { });
        StringBuilder console = new();
        GuestSession? session = null;
        int refused = 0;
        using (session = GuestSession.Open(new RecordingOptions { Image = Image }, Take))
        {
            Assert.Throws<InvalidOperationException>(() => session.Machine.Run());
            Assert.Equal(PowerState.Exited, session.Machine.Run());
            Assert.Equal((plain, retired, 1), (console.ToString(), session.Machine.Retired, refused));
        }

        void Take(byte value)
        {
            if (console.Length == 40 && refused == 0)
            {
                refused++;
                session!.Machine.Run();
            }

            console.Append((char)value);
        }
    }

    [Fact]
    public void A_recorder_cannot_record_from_inside_its_recording()
    {
        string folder = Directory.CreateTempSubdirectory("kprobe-running-").FullName;
        try
        {
            RecordingOptions options = new() { Image = Image, Output = Path.Combine(folder, "trace.mpk") };
            using Recorder recorder = Recorder.Open(options, Stream.Null);
            Kprobe probe = new() { SymbolName = "printk" };
            int refused = 0;
            probe.PreHandler = (Kprobe _, ref KprobeTrace.Cpu.PtRegs _) =>
            {
                Assert.Throws<InvalidOperationException>(() => recorder.Run());
                Assert.Throws<InvalidOperationException>(recorder.Dispose);
                refused++;
                return 0;
            };
            Assert.True(recorder.Session.Kprobes.RegisterKprobe(probe).IsSuccess);

            RunEnd end = recorder.Run();

            Assert.Equal(PowerState.Exited, end.Power);
            Assert.True(refused > 1);
            Assert.False(File.Exists(options.Output + ".old"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Another_thread_is_refused_while_the_guest_runs()
    {
        Exception? refusal = null;
        (string plain, long retired) = Run((_, _) => { });

        (string console, long moved) = Run((guest, _) =>
        {
            Thread other = new(() => refusal ??= Record.Exception(() => guest.Machine.Run()));
            other.Start();
            other.Join();
        });

        Assert.IsType<InvalidOperationException>(refusal);
        Assert.Equal((plain, retired), (console, moved));
    }

    /// <summary>Runs the demo kernel with a probe on its print function, again after each refusal; gives console and instructions.</summary>
    private static (string Console, long Retired) Run(Action<GuestSession, int> handler)
    {
        StringBuilder console = new();
        using GuestSession guest = GuestSession.Open(new RecordingOptions { Image = Image }, value => console.Append((char)value));
        int hits = 0;
        Kprobe probe = new()
        {
            SymbolName = "printk",
            PreHandler = (_, ref _) =>
            {
                handler(guest, ++hits);
                return 0;
            },
        };
        Assert.True(guest.Kprobes.RegisterKprobe(probe).IsSuccess);
        while (true)
        {
            try
            {
                Assert.Equal(PowerState.Exited, guest.Machine.Run());
                return (console.ToString(), guest.Machine.Retired);
            }
            catch (InvalidOperationException)
            {
                Assert.Equal(2, hits);
            }
        }
    }
}
