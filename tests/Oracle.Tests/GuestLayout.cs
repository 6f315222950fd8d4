using KprobeTrace.Memory;

namespace KprobeTrace.Tests.Oracle;

/// <summary>
/// The guest around a case: page tables that put the test pages where the oracle has them, and a supervisor area with GDT,
/// IDT, TSS and a stack, so that exceptions are delivered as to a kernel.
/// </summary>
internal static unsafe class GuestLayout
{
    public const ulong MemorySize = 0x40000;

    public const ulong CodePhysical = 0x10000;
    public const ulong ReadOnlyPhysical = 0x12000;
    public const ulong DataPhysical = 0x13000;
    public const ulong StackPhysical = 0x15000;

    /// <summary>Where the supervisor area is mapped, physical page 0x20000 and the next three.</summary>
    public const ulong Supervisor = 0xffff_8000_0000_0000;
    public const ulong Gdt = Supervisor;
    public const int GdtSize = 16 * 8;
    public const ulong Tss = Supervisor + 0x400;
    public const int TssSize = 104;
    public const ulong Idt = Supervisor + 0x1000;
    public const int IdtSize = 256 * 16;
    public const ulong KernelStackTop = Supervisor + 0x3000;
    public const ulong KernelStackTopPhysical = SupervisorPhysical + 0x3000;

    /// <summary>Entry of vector n is n bytes from here; nothing is ever executed there.</summary>
    public const ulong Handlers = Supervisor + 0x3000;

    public const ulong PageTables = 0x1000;

    private const ulong SupervisorPhysical = 0x20000;
    private const ulong Present = 1;
    private const ulong Writable = 2;
    private const ulong User = 4;
    private const ulong NoExecute = 1ul << 63;
    private const ushort KernelCode = 0x10;

    /// <summary>Linux's GDT as a process meets it; TSS, LDT and thread-local entries lie beyond its reach.</summary>
    private static ReadOnlySpan<ulong> Descriptors =>
    [
        0, 0x00cf_9b00_0000_ffff, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff,
        0x00cf_fb00_0000_ffff, 0x00cf_f300_0000_ffff, 0x00af_fb00_0000_ffff, 0,
        0x8000_8b00_0400_0067, 0xffff_8000, 0, 0, 0, 0, 0, 0x0040_f500_0000_0000,
    ];

    /// <summary>Writes tables, descriptors and pristine pages.</summary>
    /// <param name="memory">The guest's RAM.</param>
    /// <param name="compatibilityCode">Whether there is a segment of 32-bit code.</param>
    public static void Build(PhysicalMemory memory, bool compatibilityCode)
    {
        ulong nextTable = PageTables + PhysicalMemory.PageSize;
        Map(memory, ref nextTable, OracleLayout.CodeBase, CodePhysical, 2, Present | Writable | User);
        Map(memory, ref nextTable, OracleLayout.ReadOnlyBase, ReadOnlyPhysical, 1, Present | User | NoExecute);
        Map(memory, ref nextTable, OracleLayout.DataBase, DataPhysical, 2, Present | Writable | User | NoExecute);
        Map(memory, ref nextTable, OracleLayout.StackBase, StackPhysical, 1, Present | Writable | User | NoExecute);
        Map(memory, ref nextTable, Supervisor, SupervisorPhysical, 4, Present | Writable);
        for (int i = 0; i < Descriptors.Length; i++)
        {
            bool isThere = compatibilityCode || i != OracleLayout.CompatibilityCode >> 3;
            Put(memory, SupervisorPhysical + ((ulong)i * 8), isThere ? Descriptors[i] : 0);
        }

        // TSS: RSP0 at offset 4; the I/O permission map at 102 begins beyond the limit, so no port is allowed.
        Put(memory, SupervisorPhysical + 0x404, KernelStackTop);
        Put(memory, SupervisorPhysical + 0x400 + 96, (ulong)TssSize << 48);
        for (int vector = 0; vector < 256; vector++)
        {
            PutGate(memory, vector);
        }

        new Span<byte>(memory.Base + CodePhysical, (int)OracleLayout.CodeSize).Fill(0xcc);
        memory.TryWrite(ReadOnlyPhysical, PristineMemory.ReadOnly);
        memory.TryWrite(DataPhysical, PristineMemory.Writable);
    }

    private static void PutGate(PhysicalMemory memory, int vector)
    {
        ulong target = Handlers + (ulong)vector;
        ulong dpl = vector is 3 or 4 ? 3ul : 0;
        ulong low = (target & 0xffff) | ((ulong)KernelCode << 16) | (0x8e00ul << 32) | (dpl << 45) | ((target >> 16 & 0xffff) << 48);
        Put(memory, SupervisorPhysical + 0x1000 + ((ulong)vector * 16), low);
        Put(memory, SupervisorPhysical + 0x1000 + ((ulong)vector * 16) + 8, target >> 32);
    }

    private static void Map(PhysicalMemory memory, ref ulong nextTable, ulong linear, ulong physical, int pages, ulong bits)
    {
        for (int i = 0; i < pages; i++, linear += PhysicalMemory.PageSize, physical += PhysicalMemory.PageSize)
        {
            ulong table = PageTables;
            for (int level = 3; level > 0; level--)
            {
                ulong entry = table + (((linear >> (12 + (9 * level))) & 511) * 8);
                if ((Get(memory, entry) & Present) == 0)
                {
                    Put(memory, entry, nextTable | Present | Writable | User);
                    nextTable += PhysicalMemory.PageSize;
                }

                table = Get(memory, entry) & 0x000f_ffff_ffff_f000;
            }

            Put(memory, table + (((linear >> 12) & 511) * 8), physical | bits);
        }
    }

    private static ulong Get(PhysicalMemory memory, ulong at)
    {
        Span<byte> bytes = stackalloc byte[8];
        memory.TryRead(at, bytes);
        return BitConverter.ToUInt64(bytes);
    }

    private static void Put(PhysicalMemory memory, ulong at, ulong value) => memory.TryWrite(at, BitConverter.GetBytes(value));
}
