using System.Globalization;
using KprobeTrace.Memory;

namespace KprobeTrace.Fuzz.Soak;

/// <summary>What the process holds of the host's memory, in bytes.</summary>
/// <param name="Resident">Resident set of the whole process.</param>
/// <param name="Guest">Of it the guest's RAM: pages that the guest has touched.</param>
/// <param name="Heap">Live objects of the garbage collector.</param>
internal readonly record struct HostMemory(long Resident, long Guest, long Heap)
{
    /// <summary>Resident memory that is the emulator's own.</summary>
    public long Own => Resident - Guest;

    /// <summary>Measures now, after a full collection.</summary>
    public static unsafe HostMemory Measure(PhysicalMemory memory)
    {
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        long heap = GC.GetTotalMemory(forceFullCollection: true);
        ulong start = (ulong)memory.Base;
        ulong end = start + memory.Size;
        long resident = 0;
        long guest = 0;
        bool inGuest = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            int dash = line.IndexOf('-', StringComparison.Ordinal);
            int blank = line.IndexOf(' ', StringComparison.Ordinal);
            if (dash > 0 && blank > dash
                && ulong.TryParse(line.AsSpan(0, dash), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong from)
                && ulong.TryParse(line.AsSpan(dash + 1, blank - dash - 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong to))
            {
                inGuest = from < end && to > start;
            }
            else if (line.StartsWith("Rss:", StringComparison.Ordinal))
            {
                long bytes = long.Parse(line.AsSpan(4).Trim(" kB"), CultureInfo.InvariantCulture) * 1024;
                resident += bytes;
                guest += inGuest ? bytes : 0;
            }
        }

        return new HostMemory(resident, guest, heap);
    }
}
