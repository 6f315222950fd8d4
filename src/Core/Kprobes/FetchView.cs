using KprobeTrace.Cpu;
using KprobeTrace.Loaders;

namespace KprobeTrace.Kprobes;

/// <summary>The fetch view of a machine's processors: the armed addresses, found by where the image lies or by linear address.</summary>
/// <remarks>
/// An address in the image is kept by its physical address, so that it also matches while the kernel runs identity-mapped
/// or through any other mapping. Anything else, modules above all, is kept by linear address.
/// </remarks>
internal sealed class FetchView : IFetchView, IFetchOverlay
{
    private const ulong PageSize = 0x1000;
    private const ulong PageMask = ~(PageSize - 1);
    private readonly ProcessorGroup _processors;
    private readonly LoadedImage? _image;
    private readonly AddressTranslation _translate;
    private readonly Dictionary<ulong, int> _byPhysical = [];
    private readonly Dictionary<ulong, int> _byLinear = [];
    private readonly Dictionary<ulong, int> _physicalPages = [];
    private readonly Dictionary<ulong, int> _linearPages = [];

    /// <summary>How many probes depend on the text of a page, by its link or linear address.</summary>
    private readonly Dictionary<ulong, int> _watched = [];

    /// <summary>Where a watched page lies, and all watched pages that lie there: a physical page may have several addresses.</summary>
    private readonly Dictionary<ulong, ulong> _physicalOf = [];
    private readonly Dictionary<ulong, ulong[]> _pagesAt = [];
    private readonly HashSet<ulong> _changedPages = [];
    private bool _changedUnmapped;

    /// <summary>Creates the view and gives it to the processors.</summary>
    /// <param name="processors">The processors whose fetches see the breakpoints.</param>
    /// <param name="image">The image they run; without one every address is a linear one.</param>
    /// <param name="translate">
    /// Where the kernel maps an address outside the image; null to go through CR3, whose tables need not map modules at the moment.
    /// </param>
    public FetchView(ProcessorGroup processors, LoadedImage? image, AddressTranslation? translate = null)
    {
        ArgumentNullException.ThrowIfNull(processors);
        _processors = processors;
        _image = image;
        _translate = translate ?? TranslateLive;
        processors.FetchOverlay = this;
        processors.CodeWritten = OnCodeWritten;
    }

    /// <inheritdoc/>
    public event Action<ulong, int>? TextWritten;

    /// <inheritdoc/>
    public void Arm(ulong address, int slot)
    {
        if (TryImagePhysical(address, out ulong physical))
        {
            if (_byPhysical.TryAdd(physical, slot))
            {
                Count(_physicalPages, physical, 1);
            }
        }
        else if (_byLinear.TryAdd(address, slot))
        {
            Count(_linearPages, address, 1);
        }

        Change(address);
    }

    /// <inheritdoc/>
    public void Disarm(ulong address)
    {
        if (TryImagePhysical(address, out ulong physical))
        {
            if (_byPhysical.Remove(physical))
            {
                Count(_physicalPages, physical, -1);
            }
        }
        else if (_byLinear.Remove(address))
        {
            Count(_linearPages, address, -1);
        }

        Change(address);
    }

    /// <inheritdoc/>
    public void Watch(ulong start, ulong behind, bool watched)
    {
        for (ulong page = start & PageMask; page < behind; page += PageSize)
        {
            bool before = _watched.ContainsKey(page);
            Count(_watched, page, watched ? 1 : -1);
            if (before != _watched.ContainsKey(page))
            {
                SetWatch(page, Math.Max(page, start), watched);
            }
        }
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
        if (_changedUnmapped)
        {
            _changedUnmapped = false;
            _processors.InvalidateAllCode();
        }

        foreach (ulong page in _changedPages)
        {
            _processors.InvalidateCode(page);
        }

        _changedPages.Clear();
    }

    /// <inheritdoc/>
    public bool MayContain(ulong physicalPage, ulong linearPage) =>
        _physicalPages.ContainsKey(physicalPage) || _linearPages.ContainsKey(linearPage);

    /// <inheritdoc/>
    public int Find(ulong physical, ulong linear) =>
        _byPhysical.TryGetValue(physical, out int slot) || _byLinear.TryGetValue(linear, out slot) ? slot : -1;

    private static void Count(Dictionary<ulong, int> pages, ulong address, int change)
    {
        ulong page = address & PageMask;
        int count = pages.GetValueOrDefault(page) + change;
        if (count == 0)
        {
            pages.Remove(page);
        }
        else
        {
            pages[page] = count;
        }
    }

    private bool TryImagePhysical(ulong address, out ulong physical)
    {
        physical = 0;
        return _image is not null && _image.TryLinkToPhysical(address, out physical);
    }

    private unsafe bool TranslateLive(ulong address, out ulong physical) =>
        _processors.Running.TryPeek(address, _processors.Running.State->Cr3, out physical);

    /// <summary>Notes the page whose decoded code no longer tells the truth; all pages when it cannot be said which that is.</summary>
    private void Change(ulong address)
    {
        if (TryImagePhysical(address, out ulong physical) || _translate(address, out physical))
        {
            _changedPages.Add(physical & PageMask);
        }
        else
        {
            _changedUnmapped = true;
        }
    }

    /// <param name="page">The page, by its link or linear address.</param>
    /// <param name="text">An address of the text in it: a segment of the image may begin in the middle of a page.</param>
    /// <param name="watched">Whether the watch begins.</param>
    private void SetWatch(ulong page, ulong text, bool watched)
    {
        if (watched)
        {
            if (TryImagePhysical(text, out ulong found) || _translate(text, out found))
            {
                found &= PageMask;
                _physicalOf[page] = found;
                _pagesAt[found] = [.. _pagesAt.GetValueOrDefault(found, []), page];
                _processors.WatchCode(found, true);
            }
        }
        else if (_physicalOf.Remove(page, out ulong physical))
        {
            // What was mapped when the watch began: a module's page may have another place, or none, when it ends.
            ulong[] left = Array.FindAll(_pagesAt[physical], p => p != page);
            if (left.Length > 0)
            {
                _pagesAt[physical] = left;
            }
            else
            {
                _pagesAt.Remove(physical);
                _processors.WatchCode(physical, false);
            }
        }
    }

    private void OnCodeWritten(ulong physical, int length)
    {
        if (_pagesAt.TryGetValue(physical & PageMask, out ulong[]? pages))
        {
            foreach (ulong page in pages)
            {
                TextWritten?.Invoke(page | (physical & ~PageMask), length);
            }
        }
    }
}
