using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Xunit;

namespace KprobeTrace.Tests.Guests;

/// <summary>What guests/fetch.sh leaves in guests/stock.</summary>
public sealed class StockGuestTests
{
    [StockGuestFact]
    public void Files_are_those_that_were_fetched()
    {
        string[] recorded = [.. File.ReadLines(StockGuest.PathOf("VERSIONS")).Where(line => line.StartsWith("sha256 ", StringComparison.Ordinal))];

        Assert.True(recorded.Length >= 10);
        foreach (string line in recorded)
        {
            string[] words = line.Split(' ');
            Assert.Equal(words[2], Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(StockGuest.PathOf(words[1])))));
        }
    }

    [Fact]
    public void A_stock_of_another_recipe_is_said_to_be_old()
    {
        DirectoryInfo guests = Directory.CreateTempSubdirectory("guests-");
        try
        {
            DirectoryInfo stock = guests.CreateSubdirectory("stock");
            foreach (string file in (string[])["fetch.sh", "suites.sh", "initramfs/init"])
            {
                string path = Path.Combine(guests.FullName, file);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                File.WriteAllText(path, file);
            }

            Assert.Contains("is absent", StockGuest.WhyMissing(guests.FullName), StringComparison.Ordinal);
            foreach (string file in (string[])[.. StockGuest.Kernels, "initramfs.cpio.gz"])
            {
                File.WriteAllText(Path.Combine(stock.FullName, file), file);
            }

            File.WriteAllText(Path.Combine(stock.FullName, "VERSIONS"), "recipe " + StockGuest.Recipe(guests.FullName) + "\npackage x 1 0\n");
            Assert.Null(StockGuest.WhyMissing(guests.FullName));
            File.AppendAllText(Path.Combine(guests.FullName, "initramfs/init"), " changed");

            Assert.Contains("before its recipe changed: run guests/fetch.sh again", StockGuest.WhyMissing(guests.FullName), StringComparison.Ordinal);
        }
        finally
        {
            guests.Delete(recursive: true);
        }
    }

    [StockGuestFact]
    public void The_recipe_is_computed_as_the_script_computes_it() =>
        Assert.Contains("recipe " + StockGuest.Recipe(Repository.PathOf("guests")), File.ReadLines(StockGuest.PathOf("VERSIONS")));

    [StockGuestFact]
    public void Archive_holds_nothing_that_varies_between_two_builds()
    {
        List<string> paths = [];
        uint inode = 0;
        foreach (CpioEntry entry in ReadArchive(StockGuest.Initramfs))
        {
            inode++;
            Assert.Equal(inode, entry.Inode);
            Assert.Equal(0u, entry.Owner);
            Assert.Equal(0u, entry.Group);
            Assert.Equal(0u, entry.Time);
            paths.Add(entry.Path);
        }

        Assert.Equal(["bin", "dev", "lib", "lib/modules", "proc", "sys", "tmp", "dev/console"], paths.Take(8));
        Assert.Contains("init", paths);
        Assert.Contains("bin/workload", paths);
        Assert.Equal(6, paths.Count(path => path.EndsWith(".ko", StringComparison.Ordinal)));
    }

    [StockGuestFact]
    public void Archive_holds_the_scripts_of_the_source_tree()
    {
        Dictionary<string, byte[]> contents = ReadArchive(StockGuest.Initramfs).ToDictionary(entry => entry.Path, entry => entry.Contents);

        Assert.Equal(File.ReadAllBytes(Repository.PathOf("guests/initramfs/init")), contents["init"]);
        Assert.Equal(File.ReadAllBytes(Repository.PathOf("guests/initramfs/workload")), contents["bin/workload"]);
        Assert.Equal(File.ReadAllBytes(Repository.PathOf("guests/initramfs/modules")), contents["bin/modules"]);
        Assert.Equal(143, contents["bin/segfault"].Length);
    }

    private static IEnumerable<CpioEntry> ReadArchive(string path)
    {
        using GZipStream unpacked = new(File.OpenRead(path), CompressionMode.Decompress);
        using MemoryStream whole = new();
        unpacked.CopyTo(whole);
        byte[] archive = whole.ToArray();
        int at = 0;
        while (true)
        {
            Assert.Equal("070701", Encoding.ASCII.GetString(archive, at, 6));
            uint[] fields = [.. Enumerable.Range(0, 13).Select(index => Field(archive, at, index))];
            int nameLength = (int)fields[11];
            string name = Encoding.UTF8.GetString(archive, at + 110, nameLength - 1);
            if (name == "TRAILER!!!")
            {
                yield break;
            }

            int contents = Align(at + 110 + nameLength);
            int size = (int)fields[6];
            yield return new CpioEntry(name, fields[0], fields[2], fields[3], fields[5], archive[contents..(contents + size)]);
            at = Align(contents + size);
        }
    }

    private static uint Field(byte[] archive, int entry, int index) =>
        uint.Parse(Encoding.ASCII.GetString(archive, entry + 6 + 8 * index, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static int Align(int offset) => (offset + 3) & ~3;

    private sealed record CpioEntry(string Path, uint Inode, uint Owner, uint Group, uint Time, byte[] Contents);
}
