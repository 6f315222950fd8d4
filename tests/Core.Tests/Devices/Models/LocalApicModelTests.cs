using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Saving;
using Xunit;

namespace KprobeTrace.Tests.Devices.Models;

public sealed class LocalApicModelTests
{
    private const long Offset = 1_000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Every_register_and_request_is_that_of_a_model_with_a_flag_for_each_vector(int seed)
    {
        RandomWalk walk = new(seed);
        TestTime time = new();
        ApicBus bus = new();
        RecordingProcessor processor = new();
        LocalApic apic = new(0, true, time.Clock, bus, processor) { TscOffset = Offset };
        LocalApicModel model = new();
        int acknowledged = 0;
        for (int i = 0; i < 20_000; i++)
        {
            if (i % CarriedOver.Steps == 0)
            {
                walk.Note("carried over");
                TestTime later = time.Anew();
                apic = apic.Into(new LocalApic(0, true, later.Clock, bus = new ApicBus(), processor));
                time = time.Into(later);
            }

            switch (walk.Below(24))
            {
                case 0:
                    int spurious = walk.OneOf(0x1FF, 0x1FF, 0x3A5, 0x0FF, 0x1FE);
                    Put(0xF0, (uint)spurious);
                    model.Spurious(spurious);
                    break;
                case 1:
                    int priority = walk.Below(3) == 0 ? walk.Byte() : 0;
                    Put(0x80, (uint)priority);
                    model.TaskPriority = priority;
                    break;
                case < 6:
                    walk.Note("end");
                    _ = model.End();
                    apic.Write(0xB0, 0, 4);
                    break;
                case < 8:
                    int own = walk.Below(4) == 0 ? walk.Below(20) : walk.Byte();
                    Put(0x300, 0x44000u | (uint)own);
                    model.Send(own);
                    break;
                case < 10:
                    byte vector = walk.Below(4) == 0 ? (byte)walk.Below(20) : walk.Byte();
                    bool level = walk.Below(2) == 0;
                    walk.Note($"message {vector:x2} {level}");
                    bus.Deliver(new ApicMessage(ApicDeliveryMode.Fixed, vector, 0, false, level));
                    model.Take(vector, level);
                    break;
                case < 13 when model.Pending || walk.Below(10) == 0:
                    walk.Note("acknowledge");
                    walk.Same(model.Acknowledge(), apic.AcknowledgeInterrupt(), "vector");
                    acknowledged++;
                    break;
                case 13:
                    Put(0x280, 0);
                    model.LatchErrors();
                    break;
                case 14:
                    int entry = walk.Byte() | (walk.Below(3) == 0 ? 0x10000 : 0);
                    Put(0x370, (uint)entry);
                    model.WriteErrorEntry(entry);
                    break;
                case 15 or 16:
                    int timer = walk.Byte() | (walk.OneOf(0, 1, 1, 2) << 17) | (walk.Below(3) == 0 ? 0x10000 : 0) | (walk.Below(4) == 0 ? 0x1000 : 0);
                    Put(0x320, (uint)timer);
                    model.WriteTimer(timer);
                    break;
                case 17:
                    uint count = (uint)walk.OneOf(0, 1, 2, walk.Below(300), walk.Below(300));
                    Put(0x380, count);
                    model.WriteInitial(count);
                    break;
                case 18:
                    (int code, int divider) = walk.OneOf((0, 2), (1, 4), (2, 8), (3, 16), (8, 32), (9, 64), (10, 128), (11, 1));
                    Put(0x3E0, (uint)code);
                    model.WriteDivider(divider);
                    break;
                case 19:
                    ulong deadline = walk.Below(6) == 0 ? 0 : (ulong)Math.Max(time.Clock.Now + Offset - 20 + walk.Below(300), 0);
                    walk.Note($"deadline {deadline}");
                    Assert.True(apic.TryWriteMsr(LocalApic.MsrTscDeadline, deadline));
                    model.WriteDeadline(deadline);
                    break;
                default:
                    break;
            }

            int nanoseconds = walk.OneOf(0, 0, 1, walk.Below(20), walk.Below(400));
            walk.Note($"advance {nanoseconds}");
            time.Advance(nanoseconds);
            model.Advance(nanoseconds, Offset);
            Compare(walk, apic, model);
            walk.Same(model.Pending, processor.Pending, "pending");
        }

        Assert.True(acknowledged > 500, $"{acknowledged} interrupts");

        void Put(ulong offset, uint value)
        {
            walk.Note($"write {offset:x} {value:x}");
            apic.Write(offset, value, 4);
        }
    }

    private static void Compare(RandomWalk walk, LocalApic apic, LocalApicModel model)
    {
        for (int i = 0; i < 8; i++)
        {
            ulong at = 0x10ul * (ulong)i;
            walk.Same(model.Word('i', i), (long)apic.Read(0x100 + at, 4), $"in service {i}");
            walk.Same(model.Word('t', i), (long)apic.Read(0x180 + at, 4), $"trigger mode {i}");
            walk.Same(model.Word('r', i), (long)apic.Read(0x200 + at, 4), $"requested {i}");
        }

        walk.Same(model.TaskPriority, (int)apic.Read(0x80, 4), "task priority");
        walk.Same(model.Arbitration, (int)apic.Read(0x90, 4), "arbitration priority");
        walk.Same(model.ProcessorPriority, (int)apic.Read(0xA0, 4), "processor priority");
        walk.Same(model.ErrorStatus, (int)apic.Read(0x280, 4), "errors");
        walk.Same(model.Timer, (int)apic.Read(0x320, 4), "timer entry");
        walk.Same(model.ErrorEntry, (int)apic.Read(0x370, 4), "error entry");
        walk.Same(model.Initial, (long)apic.Read(0x380, 4), "initial count");
        walk.Same(model.Count, (long)apic.Read(0x390, 4), "current count");
        Assert.True(apic.TryReadMsr(LocalApic.MsrTscDeadline, out ulong deadline));
        walk.Same(model.Deadline, deadline, "deadline");
    }
}
