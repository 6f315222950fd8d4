using System.Text;
using System.Text.Unicode;

namespace KprobeTrace.Files;

/// <summary>Names files that are text.</summary>
internal static class TextKinds
{
    private const int Looked = 4096;

    /// <summary>The kind of a text file; null for what holds other bytes.</summary>
    internal static FileKind? Of(ReadOnlySpan<byte> file)
    {
        ReadOnlySpan<byte> head = file[..Math.Min(file.Length, Looked)];
        if (head.IsEmpty || !IsText(head))
        {
            return null;
        }

        if (IsSymbolLine(head))
        {
            return new(FileFamily.SymbolList, "a list of symbols (System.map)", "give it with --symbols, beside its kernel");
        }

        if (head.StartsWith("version https://git-lfs"u8))
        {
            return new(FileFamily.Text, "a Git LFS pointer", "get the file it stands for (git lfs pull)");
        }

        return head.StartsWith("#!"u8)
            ? new(FileFamily.Text, "a script", "give the kernel itself")
            : new(FileFamily.Text, "a text file", "give a Linux kernel (bzImage or vmlinux), or another x86-64 ELF file");
    }

    private static bool IsText(ReadOnlySpan<byte> head)
    {
        foreach (byte b in head)
        {
            if (b is < 9 or (> 13 and < 27) or (> 27 and < 32) or 127)
            {
                return false;
            }
        }

        // The last character may have been cut in two.
        for (int cut = 0; cut <= Math.Min(3, head.Length); cut++)
        {
            if (Utf8.IsValid(head[..^cut]))
            {
                return true;
            }
        }

        return false;
    }

    // Address, letter, name.
    private static bool IsSymbolLine(ReadOnlySpan<byte> head)
    {
        int end = head.IndexOf((byte)'\n');
        string[] words = Encoding.ASCII.GetString(end < 0 ? head : head[..end]).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length is 3 or 4 && words[0].Length >= 8 && words[0].All(char.IsAsciiHexDigit)
            && words[1].Length == 1 && char.IsAsciiLetter(words[1][0]);
    }
}
