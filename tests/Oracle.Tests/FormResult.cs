namespace KprobeTrace.Tests.Oracle;

/// <summary>What comparing the cases of one form found.</summary>
internal sealed class FormResult(InstructionForm form)
{
    public InstructionForm Form { get; } = form;

    public int Cases { get; set; }

    public int Completed { get; set; }

    public int Different { get; set; }

    /// <summary>The reports of the first few differing cases.</summary>
    public List<string> Reports { get; } = [];
}
