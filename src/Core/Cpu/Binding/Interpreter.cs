using KprobeTrace.Cpu.Decode;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.Binding;

/// <summary>The engine that executes each instruction by a handler of its own.</summary>
internal static class Interpreter
{
    /// <summary>A processor with this engine, in its state after reset.</summary>
    /// <param name="memory">The guest's RAM.</param>
    /// <param name="bus">The machine around it.</param>
    public static Processor Create(PhysicalMemory memory, ICpuBus bus) =>
        new(memory, bus, cpu => new BlockDecoder(cpu, memory, new BlockBuilder()));
}
