using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Devices.Interrupts;

namespace KprobeTrace.Devices.Acpi;

/// <summary>
/// Builds the ACPI tables that tell a kernel of the machine: power-off, reset, interrupt routing, serial port, clock.
/// </summary>
/// <remarks>
/// RSDP, RSDT, XSDT, FADT (revision 4), MADT, FACS and DSDT lie in one block in the BIOS area, the RSDP first, where a
/// search from 0xE0000 finds it at once. The DSDT has \_S5, the serial port and the clock. The FADT says: no 8042, no
/// VGA, no message-signalled interrupts, so that kernels do not go looking for them.
/// </remarks>
internal static class AcpiTables
{
    /// <summary>Physical address of the block, and of the RSDP.</summary>
    public const uint BaseAddress = 0xE0000;

    /// <summary>Processors that the MADT can name; APIC id 255 is the broadcast.</summary>
    public const int MaxProcessors = 255;

    private const int HeaderLength = 36;
    private const int FadtLength = 244;
    private const int FacsLength = 64;
    private const byte SpaceIo = 1;

    // Write-back cache flush works, C1 is supported, no power or sleep button and no RTC wake in the fixed registers,
    // the timer has 32 bits, the reset register is there.
    private const uint FixedFeatures = (1 << 0) | (1 << 2) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 8) | (1 << 10);

    // VGA not present, message-signalled interrupts not supported; the bits for legacy devices and the 8042 are clear.
    private const ushort BootArchitecture = (1 << 2) | (1 << 3);

    /// <summary>Builds the tables.</summary>
    /// <param name="processorCount">Processors, with APIC ids 0, 1, ….</param>
    /// <returns>What to write into guest memory at <see cref="BaseAddress"/>; the range is to be reserved in the memory map.</returns>
    public static byte[] Build(int processorCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(processorCount, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(processorCount, MaxProcessors);
        Block block = new();

        // Pointers go down the tree, so the leaves are placed first and the RSDP is filled in last.
        block.Reserve(64);
        uint facs = block.Add(Facs(), 64);
        uint dsdt = block.Add(Table("DSDT", 2, Dsdt()), 16);
        uint fadt = block.Add(Fadt(facs, dsdt), 16);
        uint madt = block.Add(Table("APIC", 3, Madt(processorCount)), 16);
        uint rsdt = block.Add(Table("RSDT", 1, [.. Bytes(fadt), .. Bytes(madt)]), 16);
        uint xsdt = block.Add(Table("XSDT", 1, [.. Bytes((ulong)fadt), .. Bytes((ulong)madt)]), 16);
        block.Put(0, Rsdp(rsdt, xsdt));
        return block.ToArray();
    }

    private static byte[] Rsdp(uint rsdt, uint xsdt)
    {
        byte[] rsdp = new byte[36];
        Encoding.ASCII.GetBytes("RSD PTR ", rsdp);
        Encoding.ASCII.GetBytes("KPROBE", rsdp.AsSpan(9));
        rsdp[15] = 2;
        BinaryPrimitives.WriteUInt32LittleEndian(rsdp.AsSpan(16), rsdt);
        BinaryPrimitives.WriteUInt32LittleEndian(rsdp.AsSpan(20), 36);
        BinaryPrimitives.WriteUInt64LittleEndian(rsdp.AsSpan(24), xsdt);
        rsdp[8] = Complement(rsdp.AsSpan(0, 20));
        rsdp[32] = Complement(rsdp);
        return rsdp;
    }

    private static byte[] Facs()
    {
        byte[] facs = new byte[FacsLength];
        Encoding.ASCII.GetBytes("FACS", facs);
        BinaryPrimitives.WriteUInt32LittleEndian(facs.AsSpan(4), FacsLength);
        facs[32] = 2;
        return facs;
    }

    private static byte[] Fadt(uint facs, uint dsdt)
    {
        byte[] body = new byte[FadtLength - HeaderLength];
        void Put32(int offset, uint value) =>
            BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(offset - HeaderLength), value);
        void Put16(int offset, ushort value) =>
            BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(offset - HeaderLength), value);
        void Put8(int offset, byte value) => body[offset - HeaderLength] = value;
        void PutRegister(int offset, byte bits, byte accessSize, ulong port)
        {
            Put8(offset, SpaceIo);
            Put8(offset + 1, bits);
            Put8(offset + 3, accessSize);
            BinaryPrimitives.WriteUInt64LittleEndian(body.AsSpan(offset + 4 - HeaderLength), port);
        }

        Put32(36, facs);
        Put32(40, dsdt);
        Put16(46, AcpiPowerManagement.SciIrq);
        Put32(56, AcpiPowerManagement.EventBlock);
        Put32(64, AcpiPowerManagement.ControlBlock);
        Put32(76, AcpiPowerManagement.TimerBlock);
        Put8(88, 4);
        Put8(89, 2);
        Put8(91, 4);

        // Latencies above 100 and 1000 µs: no C2, no C3.
        Put16(96, 0xFFF);
        Put16(98, 0xFFF);
        Put8(108, RtcMc146818.CenturyRegister);
        Put16(109, BootArchitecture);
        Put32(112, FixedFeatures);
        PutRegister(116, 8, 1, ResetControl.Port);
        Put8(128, ResetControl.ResetValue);
        Put32(132, facs);
        Put32(140, dsdt);
        PutRegister(148, 32, 2, AcpiPowerManagement.EventBlock);
        PutRegister(172, 16, 2, AcpiPowerManagement.ControlBlock);
        PutRegister(208, 32, 3, AcpiPowerManagement.TimerBlock);
        return Table("FACP", 4, body);
    }

    private static byte[] Madt(int processorCount)
    {
        // The 8259 pair is there as well.
        List<byte> body = [.. Bytes((uint)LocalApic.DefaultBase), .. Bytes(1u)];
        for (int i = 0; i < processorCount; i++)
        {
            body.AddRange([0, 8, (byte)i, (byte)i, .. Bytes(1u)]);
        }

        body.AddRange([1, 12, 0, 0, .. Bytes((uint)IoApic.DefaultBase), .. Bytes(0u)]);

        // The timer is wired to input 2; the system control interrupt is level-triggered and active high.
        body.AddRange([2, 10, 0, 0, .. Bytes(2u), 0, 0]);
        body.AddRange([2, 10, 0, AcpiPowerManagement.SciIrq, .. Bytes((uint)AcpiPowerManagement.SciIrq), 0x0D, 0]);

        // LINT1 of every processor is the non-maskable interrupt.
        body.AddRange([4, 6, 0xFF, 0, 0, 1]);
        return [.. body];
    }

    private static byte[] Dsdt() =>
    [
        .. Aml.Name(
            "_S5_",
            Aml.Package(
                Aml.Integer(AcpiPowerManagement.SleepTypeOff),
                Aml.Integer(AcpiPowerManagement.SleepTypeOff),
                Aml.Integer(0),
                Aml.Integer(0))),
        .. Aml.Scope(
            "\\_SB_",
            Aml.Device(
                "COM1",
                Aml.Name("_HID", Aml.EisaId("PNP0501")),
                Aml.Name("_UID", Aml.Integer(1)),
                Aml.Name(
                    "_CRS",
                    Aml.Buffer(
                        Aml.Ports(Uart16550.Com1, Uart16550.PortCount),
                        Aml.Interrupt(Uart16550.Com1Irq),
                        Aml.EndTag()))),
            Aml.Device(
                "RTC_",
                Aml.Name("_HID", Aml.EisaId("PNP0B00")),
                Aml.Name(
                    "_CRS",
                    Aml.Buffer(Aml.Ports(0x70, 2), Aml.Interrupt(RtcMc146818.Irq), Aml.EndTag())))),
    ];

    private static byte[] Table(string signature, byte revision, byte[] body)
    {
        byte[] table = new byte[HeaderLength + body.Length];
        Encoding.ASCII.GetBytes(signature, table);
        BinaryPrimitives.WriteInt32LittleEndian(table.AsSpan(4), table.Length);
        table[8] = revision;
        Encoding.ASCII.GetBytes("KPROBE", table.AsSpan(10));
        Encoding.ASCII.GetBytes("KPTRACE ", table.AsSpan(16));
        table[24] = 1;
        Encoding.ASCII.GetBytes("KPTR", table.AsSpan(28));
        table[32] = 1;
        body.CopyTo(table.AsSpan(HeaderLength));
        table[9] = Complement(table);
        return table;
    }

    private static byte Complement(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte value in bytes)
        {
            sum += value;
        }

        return (byte)-sum;
    }

    private static byte[] Bytes(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }

    private static byte[] Bytes(ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes;
    }

    /// <summary>The bytes from <see cref="BaseAddress"/> on.</summary>
    private sealed class Block
    {
        private readonly List<byte> _bytes = [];

        public void Reserve(int length) => _bytes.AddRange(new byte[length]);

        public uint Add(byte[] table, int alignment)
        {
            Reserve((alignment - (_bytes.Count % alignment)) % alignment);
            uint address = BaseAddress + (uint)_bytes.Count;
            _bytes.AddRange(table);
            return address;
        }

        public void Put(int offset, byte[] table)
        {
            for (int i = 0; i < table.Length; i++)
            {
                _bytes[offset + i] = table[i];
            }
        }

        public byte[] ToArray() => [.. _bytes];
    }
}
