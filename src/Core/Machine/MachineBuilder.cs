using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using KprobeTrace.Devices.Acpi;
using KprobeTrace.Loaders;
using KprobeTrace.Memory;

namespace KprobeTrace.Machine;

/// <summary>Builds a machine around a loaded image: RAM, devices, firmware tables, the processor in its entry state.</summary>
internal static unsafe class MachineBuilder
{
    /// <summary>Most guest RAM, in bytes: what lies below the devices of the physical address space.</summary>
    public const ulong MaxMemory = 3UL << 30;

    /// <summary>Builds a machine that stands before the image's first instruction.</summary>
    /// <param name="image">What to run.</param>
    /// <param name="console">Receives every byte the guest writes to its serial port.</param>
    /// <param name="processorCount">Its processors, of which the first begins.</param>
    public static GuestMachine Build(LoadedImage image, Action<byte> console, int processorCount = 1)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (image.MemorySize > MaxMemory)
        {
            throw new KprobeTraceException($"{image.MemorySize >> 20} MiB of guest memory are too many: at most {MaxMemory >> 20} MiB fit below the devices");
        }

        return Build(image, console, new PhysicalMemory(image.MemorySize), processorCount);
    }

    /// <summary>Builds a machine in memory that is there already.</summary>
    internal static GuestMachine Build(LoadedImage image, Action<byte> console, PhysicalMemory memory, int processorCount)
    {
        GuestMachine machine = new(memory, new MachineBus(memory, console, processorCount));
        Put(memory, AcpiTables.BaseAddress, AcpiTables.Build(processorCount), "ACPI tables");
        foreach (ImageSegment segment in image.Segments)
        {
            Put(memory, segment.PhysicalAddress, segment.Bytes.Span, segment.Purpose);
        }

        Enter(machine.Processors.Bootstrap, image.Cpu);
        return machine;
    }

    private static void Put(PhysicalMemory memory, ulong address, ReadOnlySpan<byte> bytes, string purpose)
    {
        if (!memory.TryWrite(address, bytes))
        {
            throw new KprobeTraceException($"the {purpose} at 0x{address:x} (0x{bytes.Length:x} bytes) does not fit into guest memory; give more with --memory");
        }
    }

    private static void Enter(Processor processor, InitialCpuState entry)
    {
        CpuState* s = processor.State;
        for (int i = 0; i < 16; i++)
        {
            s->R[i] = entry.Registers[i];
        }

        s->Cr0 = entry.Cr0;
        s->Cr3 = entry.Cr3;
        s->Cr4 = entry.Cr4;
        s->Efer = entry.Efer;
        s->GdtBase = entry.GdtBase;
        s->GdtLimit = entry.GdtLimit;
        s->IdtBase = entry.IdtBase;
        s->IdtLimit = entry.IdtLimit;
        s->Segments.Cs = ToSegment(entry.Cs);
        for (int i = 0; i < 6; i++)
        {
            if (i != Segment.Cs)
            {
                s->Segments[i] = ToSegment(entry.Data);
            }
        }

        s->Tr = ToSegment(entry.Tr);
        s->Rip = s->Segments.Cs.Base + entry.Rip;
        LazyFlags.Set(s, entry.Rflags);
        processor.FlushTranslations();
        processor.UpdateMode();
    }

    private static Segment ToSegment(InitialSegment from) =>
        new() { Selector = from.Selector, Base = from.Base, Limit = from.Limit, Attributes = from.Attributes };
}
