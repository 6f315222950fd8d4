using KprobeTrace.Loaders;
using KprobeTrace.Session;

namespace KprobeTrace.Recording;

/// <summary>Says that an image shows no functions to probe, and what to do.</summary>
internal static class SymbolNotice
{
    /// <summary>What a user does who has the symbols elsewhere.</summary>
    public const string Remedy = "name its System.map or an ELF with symbols with --symbols";

    /// <summary>Whether the image has a symbol of any function.</summary>
    public static bool HasFunctions(GuestSession session)
    {
        ArgumentNullException.ThrowIfNull(session);
        return session.Symbols.All().Any(symbol => symbol.IsText);
    }

    /// <summary>One line for the user, or null when there is nothing to say.</summary>
    /// <param name="session">The guest.</param>
    /// <param name="userProbes">Whether the user gave definitions.</param>
    /// <param name="definitions">How many there are, the user's or the default ones.</param>
    public static string? For(GuestSession session, bool userProbes, int definitions)
    {
        ArgumentNullException.ThrowIfNull(session);
        string image = session.Image.BaseName;
        if (HasFunctions(session))
        {
            return definitions > 0 ? null
                : $"{image} has none of the functions that are probed without -p; give probes with -p, --list shows where they can be";
        }

        if (userProbes)
        {
            // A flat image never has symbols, and who probes its addresses knows.
            return session.Image.Kind == ImageKind.Flat ? null : $"no symbols were found in {image}, so only addresses can be probed; {Remedy}";
        }

        return definitions > 0
            ? $"no symbols were found in {image}, so only its entry point is probed; {Remedy}, or give addresses with -p"
            : $"no symbols were found in {image}, so nothing is probed; {Remedy}, or give addresses with -p";
    }
}
