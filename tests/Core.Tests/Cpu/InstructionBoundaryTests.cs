using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Where blocks begin and end must show nowhere: every budget, and an interrupt at every instruction.</summary>
public sealed unsafe class InstructionBoundaryTests
{
    [Fact]
    public void A_run_can_be_stopped_after_any_number_of_instructions()
    {
        List<string> steps = Steps(out _);

        for (int n = 1; n < steps.Count; n++)
        {
            using TestGuest guest = MixedProgram.Create();
            guest.Processor.Run(n);
            Assert.Equal(n, guest.Processor.Retired);
            Assert.Equal($"{n}: {steps[n]}", $"{n}: {MixedProgram.Describe(guest)}");
        }
    }

    [Fact]
    public void A_run_in_uneven_parts_equals_a_run_one_by_one()
    {
        List<string> steps = Steps(out _);

        foreach (int stride in (int[])[2, 3, 7, 11])
        {
            using TestGuest guest = MixedProgram.Create();
            for (int n = stride; n < steps.Count; n += stride)
            {
                guest.Processor.Run(n);
                Assert.Equal($"{n}: {steps[n]}", $"{n}: {MixedProgram.Describe(guest)}");
            }
        }
    }

    [Fact]
    public void An_interrupt_is_taken_at_its_exact_instruction_wherever_it_falls()
    {
        List<string> steps = Steps(out List<(ulong Rip, bool Open)> boundaries);

        for (int n = 1; n < boundaries.Count; n++)
        {
            int taken = boundaries.FindIndex(n, b => b.Open);
            using TestGuest guest = MixedProgram.Create();
            guest.Bus.At(n, MixedProgram.Timer);

            guest.Run();

            string expected = taken < 0 ? "none" : $"{boundaries[taken].Rip:x}";
            string actual = guest.Read(MixedProgram.Slot + 8) == 0 ? "none" : $"{guest.Read(MixedProgram.Slot):x}";
            Assert.Equal($"at {n}: {expected}", $"at {n}: {actual}");
            Assert.Equal(steps[^1], MixedProgram.Describe(guest));
            Assert.Equal(steps.Count - 1 + (taken < 0 ? 0 : 7), guest.Processor.Retired);
        }
    }

    [Fact]
    public void The_timestamp_is_exact_in_the_middle_of_a_block()
    {
        using TestGuest guest = new();

        guest.RunKernel(a =>
        {
            for (int i = 0; i < 5; i++)
            {
                a.nop();
            }

            a.rdtsc();
            a.mov(r8d, eax);
            a.nop();
            a.rdtscp();
        });

        Assert.Equal((5UL, 8UL), (guest.State->R[8], guest.Rax));
    }

    [Fact]
    public void A_device_sees_the_time_of_the_instruction_that_calls_it()
    {
        using TestGuest guest = new();

        guest.RunKernel(a =>
        {
            a.nop();
            a.@out(0x80, al);
            a.nop();
            a.@in(al, 0x80);
        });

        Assert.Equal([1L, 3L], guest.Bus.PortTimes);
    }

    [Fact]
    public void Hlt_skips_to_the_next_event_and_no_further()
    {
        using TestGuest guest = new();
        guest.Flags = Rflags.IF | 2;
        guest.Bus.At(1_000_000, MixedProgram.Timer);
        guest.Bus.At(2_000_000, MixedProgram.Timer);

        guest.RunKernel(a => a.hlt());

        Assert.Equal((1_000_001L, 2L), (guest.Processor.Now, guest.Processor.Retired));
    }

    [Fact]
    public void Hlt_with_interrupts_off_waits_for_good_although_a_timer_ticks()
    {
        using TestGuest guest = new();
        guest.Bus.At(1_000_000, MixedProgram.Timer);

        guest.RunKernel(a => a.nop());

        Assert.True(guest.Processor.HaltedForGood);
        Assert.Equal(2L, guest.Processor.Now);
    }

    [Fact]
    public void Sti_lets_one_instruction_pass_before_an_interrupt()
    {
        using TestGuest guest = new();
        guest.Bus.PendingVectors.Enqueue(MixedProgram.Timer);
        guest.Processor.SetInterruptLine(true);

        Caught caught = guest.RunKernel(a =>
        {
            a.sti();
            a.sti();
            a.nop();
            a.nop();
        });

        Assert.Equal((MixedProgram.Timer, TestGuest.Code + 2), (caught.Vector, caught.Ip));
    }

    [Fact]
    public void Popf_and_iret_open_interrupts_at_once()
    {
        using TestGuest guest = new();
        guest.Bus.PendingVectors.Enqueue(MixedProgram.Timer);
        guest.Processor.SetInterruptLine(true);

        Caught caught = guest.RunKernel(a =>
        {
            a.push(0x202);
            a.popfq();
            a.nop();
        });

        Assert.Equal((MixedProgram.Timer, TestGuest.Code + 6), (caught.Vector, caught.Ip));
    }

    private static List<string> Steps(out List<(ulong Rip, bool Open)> boundaries)
    {
        using TestGuest guest = MixedProgram.Create();
        List<string> steps = [];
        boundaries = [];
        while (true)
        {
            CpuState* s = guest.State;
            steps.Add(MixedProgram.Describe(guest));
            boundaries.Add((s->Rip, (LazyFlags.Get(s) & Rflags.IF) != 0 && s->InterruptShadow == 0));
            if (s->Halted != 0)
            {
                return steps;
            }

            Assert.True(steps.Count < 500, "the program does not end");
            guest.Processor.Run(steps.Count);
        }
    }
}
