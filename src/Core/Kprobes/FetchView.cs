using KprobeTrace.Cpu;
using KprobeTrace.Loaders;

namespace KprobeTrace.Kprobes;

/// <summary>The fetch view of one processor: the armed addresses, found by where the image lies or by linear address.</summary>
/// <remarks>
/// An address in the image is kept by its physical address, so that it also matches while the kernel runs identity-mapped
/// or through any other mapping. Anything else, modules above all, is kept by linear address.
/// </remarks>
public sealed class FetchView : IFetchView, IFetchOverlay
{
    private const ulong PageMask = ~0xFFFUL;
    private readonly Processor _processor;
    private readonly LoadedImage? _image;
    private readonly Dictionary<ulong, int> _byPhysical = [];
    private readonly Dictionary<ulong, int> _byLinear = [];
    private readonly Dictionary<ulong, int> _physicalPages = [];
    private readonly Dictionary<ulong, int> _linearPages = [];
    private readonly Dictionary<ulong, ulong> _modulePages = [];
    private readonly HashSet<ulong> _changedPages = [];

    /// <summary>Creates the view and gives it to the processor.</summary>
    /// <param name="processor">The processor whose fetches see the breakpoints.</param>
    /// <param name="image">The image it runs; without one every address is a linear one.</param>
    public FetchView(Processor processor, LoadedImage? image)
    {
        ArgumentNullException.ThrowIfNull(processor);
        _processor = processor;
        _image = image;
        processor.FetchOverlay = this;
        processor.CodeWritten = OnCodeWritten;
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
    public void Synchronize()
    {
        foreach (ulong page in _changedPages)
        {
            _processor.InvalidateCode(page);
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

    /// <summary>Notes the page whose decoded code no longer tells the truth.</summary>
    private unsafe void Change(ulong address)
    {
        if (TryImagePhysical(address, out ulong physical))
        {
            Change(physical, _physicalPages.ContainsKey(physical & PageMask));
        }
        else if (_processor.TryPeek(address, _processor.State->Cr3, out physical))
        {
            _modulePages[physical & PageMask] = address & PageMask;
            Change(physical, _linearPages.ContainsKey(address & PageMask));
        }
    }

    /// <summary>A page's breakpoints changed; while it has any, the guest's writes to it are told.</summary>
    private void Change(ulong physical, bool hasBreakpoints)
    {
        _changedPages.Add(physical & PageMask);
        _processor.WatchCode(physical, hasBreakpoints);
    }

    private void OnCodeWritten(ulong physical, int length)
    {
        ulong page = physical & PageMask;
        if (_physicalPages.ContainsKey(page) && _image!.TryPhysicalToLink(physical, out ulong link))
        {
            TextWritten?.Invoke(link, length);
        }
        else if (_modulePages.TryGetValue(page, out ulong linearPage) && _linearPages.ContainsKey(linearPage))
        {
            TextWritten?.Invoke(linearPage | (physical & ~PageMask), length);
        }
    }
}
