namespace KprobeTrace.Cpu.Blocks;

/// <summary>Translations of recently fetched code pages, per privilege; consulted only when a block is looked up.</summary>
internal sealed class FetchTlb
{
    private const int Entries = 128;
    private const ulong NoPage = 1;
    private readonly ulong[] _linear = new ulong[Entries * 2];
    private readonly bool[] _fetched = new bool[4096];
    private bool _hasLargePages;
    private readonly ulong[] _physical = new ulong[Entries * 2];

    /// <summary>Whether a supervisor page that is not global was fetched from since the last flush.</summary>
    public bool HasNonGlobalSupervisorCode { get; private set; }

    /// <summary>Finds the physical page of a linear page.</summary>
    public bool TryFind(ulong linearPage, bool user, out ulong physicalPage)
    {
        int i = Slot(linearPage, user);
        physicalPage = _physical[i];
        return _linear[i] == linearPage;
    }

    /// <summary>Remembers a translation.</summary>
    public void Add(ulong linearPage, bool user, ulong physicalPage, bool global, bool large)
    {
        int i = Slot(linearPage, user);
        _linear[i] = linearPage;
        _physical[i] = physicalPage;
        _fetched[(linearPage >> 12) & 4095] = true;
        HasNonGlobalSupervisorCode |= !user && !global;
        _hasLargePages |= large;
    }

    /// <summary>Whether code may have been fetched from a page, or from a larger page around it, since the last whole flush.</summary>
    public bool MayHaveFetched(ulong linear) => _hasLargePages || _fetched[(linear >> 12) & 4095];

    /// <summary>Forgets everything.</summary>
    public void Flush()
    {
        FlushTranslations();
        Array.Clear(_fetched);
        _hasLargePages = false;
    }

    /// <summary>Forgets the translations, but not which pages were fetched from: blocks of global pages outlive a load of CR3.</summary>
    public void FlushTranslations()
    {
        Array.Fill(_linear, NoPage);
        HasNonGlobalSupervisorCode = false;
    }

    private static int Slot(ulong linearPage, bool user) =>
        ((int)(linearPage >> 12) & (Entries - 1)) + (user ? Entries : 0);
}
