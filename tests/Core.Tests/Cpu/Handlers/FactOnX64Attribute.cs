using System.Runtime.InteropServices;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Handlers;

/// <summary>A test that reads machine code of x86-64, which is what the runtime's compiler must have made.</summary>
internal sealed class FactOnX64Attribute : FactAttribute
{
    public FactOnX64Attribute()
    {
        if (RuntimeInformation.ProcessArchitecture != System.Runtime.InteropServices.Architecture.X64)
        {
            Skip = "the runtime's compiler makes no x86-64 code here";
        }
    }
}
