namespace KprobeTrace.Guest;

/// <summary>A half-open range of guest addresses.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">Address behind the last.</param>
/// <param name="Name">What it is: the symbol at its start, or empty.</param>
internal readonly record struct GuestRange(ulong Start, ulong End, string Name = "")
{
    /// <summary>Tells whether an address lies in the range.</summary>
    public bool Contains(ulong address) => address >= Start && address < End;
}
