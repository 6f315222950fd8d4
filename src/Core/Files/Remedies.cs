namespace KprobeTrace.Files;

/// <summary>What to do instead, where several kinds of files ask for the same.</summary>
internal static class Remedies
{
    internal const string OnlyX86 = "only x86-64 is run: give a kernel built for x86-64";
    internal const string GiveKernel = "give a Linux kernel, or an ELF kernel entered in 64-bit mode";
    internal const string GiveBzImage = "give a Linux kernel (bzImage), or an ELF kernel entered in 64-bit mode";
    internal const string GiveDumped = "give the kernel it was taken of";
    internal const string TakeOutOfDisk = "no firmware and no disk is emulated: take the kernel out of it";

    /// <summary>A command that unpacks the file; it works as it stands, with any name for UNPACKED.</summary>
    internal static string Unpack(string program) => $"unpack it: {program} FILE > UNPACKED";
}
