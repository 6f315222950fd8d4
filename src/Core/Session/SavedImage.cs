using System.Security.Cryptography;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Loaders;

namespace KprobeTrace.Session;

/// <summary>Which image a guest was opened with, and how: what a saved one has to be opened with again.</summary>
internal sealed class SavedImage : IStateful
{
    /// <summary>Name of its record.</summary>
    public const string RecordName = "image";

    private readonly Lazy<string> _initrdSha256;

    private SavedImage(Func<string> initrdSha256)
    {
        _initrdSha256 = new Lazy<string>(initrdSha256);
    }

    /// <summary>SHA-256 of the image.</summary>
    public required string Sha256 { get; init; }

    /// <summary>SHA-256 of the initramfs, made once somebody asks; empty for none.</summary>
    public string InitrdSha256 => _initrdSha256.Value;

    /// <summary>Bytes of RAM.</summary>
    public required ulong Memory { get; init; }

    /// <summary>The kernel command line.</summary>
    public required string CommandLine { get; init; }

    /// <summary>Where a flat image goes; null for one that says itself.</summary>
    public ulong? LoadAddress { get; init; }

    /// <summary>Where a flat image is entered; null for its load address.</summary>
    public ulong? EntryAddress { get; init; }

    /// <summary>The mode a flat image is entered in; null for one that is not flat.</summary>
    public EntryMode? Mode { get; init; }

    /// <summary>What a guest was opened with.</summary>
    public static SavedImage Of(LoadedImage image, ImageLoadOptions options)
    {
        ImageSegment? initrd = image.Segments.SingleOrDefault(static s => s.Purpose == "initrd");
        return new SavedImage(() => initrd is null ? "" : Convert.ToHexStringLower(SHA256.HashData(initrd.Bytes.Span)))
        {
            Sha256 = image.Sha256,
            Memory = image.MemorySize,
            CommandLine = image.CommandLine,
            LoadAddress = options.LoadAddress,
            EntryAddress = options.EntryAddress,
            Mode = options.Mode ?? (options.ForceFlat ? EntryMode.Long64 : null),
        };
    }

    /// <summary>Reads it from a saved guest.</summary>
    public static SavedImage Read(StateReader from)
    {
        string sha256 = from.ReadText();
        string initrdSha256 = from.ReadText();
        SavedImage image = new(() => initrdSha256)
        {
            Sha256 = sha256,
            Memory = from.Read<ulong>(),
            CommandLine = from.ReadText(),
            LoadAddress = ReadNumber(from),
            EntryAddress = ReadNumber(from),
            Mode = (EntryMode?)ReadNumber(from),
        };
        from.Require(image.Mode is null || Enum.IsDefined(image.Mode.Value));
        from.RequireEnd();
        return image;
    }

    /// <summary>What the guest is opened with again: as it was, where the user says nothing else.</summary>
    /// <exception cref="KprobeTraceException">The user says something else.</exception>
    public ImageLoadOptions Fill(ImageLoadOptions given)
    {
        Same("--memory", given.MemorySize is null || given.MemorySize == Memory, $"{Memory >> 10}K");
        Same("--append", given.CommandLine is null || given.CommandLine == CommandLine, $"'{Excerpt.Of(CommandLine)}'");
        Same("--load", given.LoadAddress is null || given.LoadAddress == LoadAddress, Text(LoadAddress));
        Same("--entry", given.EntryAddress is null || given.EntryAddress == EntryAddress, Text(EntryAddress));
        Same("--mode", given.Mode is null || given.Mode == Mode, Mode is null ? "none" : $"{(int)Mode}");
        return given with
        {
            MemorySize = Memory,
            CommandLine = CommandLine,
            LoadAddress = LoadAddress,
            EntryAddress = EntryAddress,
            Mode = Mode,
            ForceFlat = Mode is not null,
        };
    }

    /// <summary>Refuses another image, or an initramfs that is given and is another one; without one its bytes are in the saved RAM.</summary>
    /// <param name="opened">What was opened.</param>
    /// <param name="name">Its name.</param>
    /// <exception cref="KprobeTraceException">They differ.</exception>
    public void RequireSame(SavedImage opened, string name)
    {
        if (opened.Sha256 != Sha256)
        {
            throw new KprobeTraceException($"the saved state is that of another image than {name}: its SHA-256 is {Excerpt.Of(Sha256)}");
        }

        Same("--initrd", opened.InitrdSha256.Length == 0 || opened.InitrdSha256 == InitrdSha256,
            InitrdSha256.Length == 0 ? "none" : "one with SHA-256 " + Excerpt.Of(InitrdSha256));
    }

    /// <inheritdoc/>
    void IStateful.Save(StateWriter to)
    {
        to.Write(Sha256);
        to.Write(InitrdSha256);
        to.Write(Memory);
        to.Write(CommandLine);
        foreach (ulong? number in (ReadOnlySpan<ulong?>)[LoadAddress, EntryAddress, (ulong?)Mode])
        {
            to.Write(number is not null);
            to.Write(number ?? 0);
        }
    }

    /// <summary>It was read before there was a machine.</summary>
    void IStateful.Load(StateReader from) => Read(from);

    private static ulong? ReadNumber(StateReader from)
    {
        byte isThere = from.Read<byte>();
        ulong number = from.Read<ulong>();
        from.Require(isThere == 1 || (isThere == 0 && number == 0));
        return isThere == 1 ? number : null;
    }

    private static string Text(ulong? number) => number is null ? "none" : $"0x{number:x}";

    private static void Same(string option, bool isSame, string saved)
    {
        if (!isSame)
        {
            throw new KprobeTraceException($"{option}: the saved guest was started with {saved}, and goes on with it; leave the option out");
        }
    }
}
