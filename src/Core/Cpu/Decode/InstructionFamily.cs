namespace KprobeTrace.Cpu.Decode;

/// <summary>Instructions that a builder of blocks makes in one place, since their operands have the same shapes.</summary>
internal enum InstructionFamily : byte
{
    /// <summary>This processor does not have it: #UD.</summary>
    Undefined,

    /// <summary>Two-operand arithmetic, moves between general registers and memory, extensions, addresses.</summary>
    Integer,

    /// <summary>Shifts, products, bits, exchanges, what works on the accumulator, and what does nothing.</summary>
    Bits,

    /// <summary>SETcc and CMOVcc.</summary>
    Conditional,

    /// <summary>Jcc.</summary>
    JumpIf,

    /// <summary>Near branches.</summary>
    Branch,

    /// <summary>The stack.</summary>
    Stack,

    /// <summary>Strings, also those of ports.</summary>
    String,

    /// <summary>Flags, control, tables, ports, segments, transfers between segments and privileges.</summary>
    System,

    /// <summary>Moves of MMX and SSE.</summary>
    VectorMove,

    /// <summary>Lanes of integers and bits.</summary>
    IntegerLanes,

    /// <summary>Single elements, masks, strings and state of SSE.</summary>
    Element,

    /// <summary>Lanes of floating-point numbers.</summary>
    FloatLanes,

    /// <summary>x87 arithmetic, compares and constants.</summary>
    X87,

    /// <summary>x87 loads, stores and control.</summary>
    X87Transfer,
}
