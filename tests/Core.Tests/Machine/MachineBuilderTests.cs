using KprobeTrace.Cpu.State;
using KprobeTrace.Devices.Acpi;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Memory;
using Xunit;

namespace KprobeTrace.Tests.Machine;

/// <summary>A machine stands before its first instruction as its image says.</summary>
public sealed unsafe class MachineBuilderTests
{
    private const ulong MemorySize = 16 << 20;

    [Fact]
    public void Processor_has_every_value_that_the_image_gives_it()
    {
        LoadedImage image = Image();
        for (int i = 0; i < 16; i++)
        {
            image.Cpu.Registers[i] = 0x1111_0000_0000_0000ul + (ulong)i;
        }

        using GuestMachine machine = MachineBuilder.Build(image, _ => { });

        CpuState* s = machine.Processors.Bootstrap.State;
        for (int i = 0; i < 16; i++)
        {
            Assert.Equal(0x1111_0000_0000_0000ul + (ulong)i, s->R[i]);
        }

        Assert.Equal((0x8000_0031ul, 0x9000ul, 0x20ul, 0x500ul), (s->Cr0, s->Cr3, s->Cr4, s->Efer));
        Assert.Equal((0x7000ul, 0x17ul, 0x6000ul, 0x2Ful), (s->GdtBase, (ulong)s->GdtLimit, s->IdtBase, (ulong)s->IdtLimit));
        Assert.Equal(0x40_0000ul + 0x1234, s->Rip);
        Assert.Equal(0x893ul, LazyFlags.Get(s));
        Assert.Equal((0x08, 0x40_0000ul, 0xFFFFFul, 0xA09B), Parts(s->Segments.Cs));
        for (int i = 0; i < 6; i++)
        {
            if (i != Segment.Cs)
            {
                Assert.Equal((0x10, 0x50ul, 0xEEEEul, 0xC093), Parts(s->Segments[i]));
            }
        }

        Assert.Equal((0x18, 0x60ul, 0x67ul, 0x8B), Parts(s->Tr));
        Assert.Equal(PowerState.Running, machine.Power);
        Assert.Equal((0L, 0L, 0u), (machine.Now, machine.Retired, machine.ExitValue));
    }

    [Fact]
    public void Memory_holds_the_segments_and_the_tables_of_one_processor()
    {
        using GuestMachine machine = MachineBuilder.Build(
            Image(new ImageSegment("first", 0x1000, "one"u8.ToArray(), 3), new ImageSegment("last", MemorySize - 3, "two"u8.ToArray(), 3)), _ => { });

        Assert.Equal("one"u8, Read(machine, 0x1000, 3));
        Assert.Equal("two"u8, Read(machine, MemorySize - 3, 3));
        byte[] tables = AcpiTables.Build(1);
        Assert.Equal(tables, Read(machine, AcpiTables.BaseAddress, tables.Length));
        Assert.Equal((MemorySize, MemorySize), (machine.Memory.Size, machine.Processors.Bootstrap.Memory.Size));
    }

    [Fact]
    public void Segment_that_does_not_fit_is_named_with_its_place_and_length()
    {
        KprobeTraceException e = Assert.Throws<KprobeTraceException>(
            () => MachineBuilder.Build(Image(new ImageSegment("initrd", MemorySize - 2, "two"u8.ToArray(), 3)), _ => { }));

        Assert.Equal("the initrd at 0xfffffe (0x3 bytes) does not fit into guest memory; give more with --memory", e.Message);
    }

    [Fact]
    public void Memory_ends_below_the_devices()
    {
        Assert.Equal(3UL << 30, MachineBuilder.MaxMemory);
        using (GuestMachine most = MachineBuilder.Build(Image(3UL << 30), _ => { }))
        {
            Assert.Equal(3UL << 30, most.Memory.Size);
        }

        KprobeTraceException e = Assert.Throws<KprobeTraceException>(() => MachineBuilder.Build(Image((3UL << 30) + PhysicalMemory.PageSize), _ => { }));
        Assert.Equal("3072 MiB of guest memory are too many: at most 3072 MiB fit below the devices", e.Message);
    }

    private static (int, ulong, ulong, int) Parts(in Segment s) => (s.Selector, s.Base, s.Limit, s.Attributes);

    private static byte[] Read(GuestMachine machine, ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Assert.True(machine.Memory.TryRead(address, bytes));
        return bytes;
    }

    private static LoadedImage Image(params ImageSegment[] segments) => Image(MemorySize, segments);

    private static LoadedImage Image(ulong memory, params ImageSegment[] segments) => new([])
    {
        Kind = ImageKind.Flat,
        BaseName = "made",
        Sha256 = "",
        Segments = segments,
        EntryPhysical = 0,
        EntryLink = 0,
        MemorySize = memory,
        Cpu = new InitialCpuState
        {
            Mode = EntryMode.Long64,
            Rip = 0x1234,
            Rflags = 0x893,
            Cr0 = 0x8000_0031,
            Cr3 = 0x9000,
            Cr4 = 0x20,
            Efer = 0x500,
            GdtBase = 0x7000,
            GdtLimit = 0x17,
            IdtBase = 0x6000,
            IdtLimit = 0x2F,
            Cs = new InitialSegment(0x08, 0x40_0000, 0xFFFFF, 0xA09B),
            Data = new InitialSegment(0x10, 0x50, 0xEEEE, 0xC093),
            Tr = new InitialSegment(0x18, 0x60, 0x67, 0x8B),
        },
    };
}
