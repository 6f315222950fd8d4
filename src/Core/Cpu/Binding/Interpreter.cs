using KprobeTrace.Cpu.Decode;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.Binding;

/// <summary>The engine that executes each instruction by a handler of its own.</summary>
internal static class Interpreter
{
    /// <summary>Processors with this engine, in their state after reset.</summary>
    /// <param name="memory">The guest's RAM.</param>
    /// <param name="buses">For each processor, the machine around it.</param>
    public static ProcessorGroup Create(PhysicalMemory memory, params ReadOnlySpan<ICpuBus> buses) =>
        new(memory, buses, cpu => new BlockDecoder(cpu, memory, new BlockBuilder()));
}
