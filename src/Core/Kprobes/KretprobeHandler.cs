using KprobeTrace.Cpu;

namespace KprobeTrace.Kprobes;

/// <summary>Runs at a function's entry or when it returned.</summary>
/// <param name="instance">The call; what <c>EntryHandler</c> stores there <c>Handler</c> finds.</param>
/// <param name="registers">
/// The frame. At a return <c>Ax</c> is the return value, which may be edited, and <c>Ip</c> the return address; edits of
/// <c>Ip</c> and <c>Sp</c> are lost.
/// </param>
/// <returns>From an entry handler non-zero means: forget this call. From a return handler it means nothing.</returns>
public delegate int KretprobeHandler(KretprobeInstance instance, ref PtRegs registers);
