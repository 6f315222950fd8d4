namespace KprobeTrace.Probes;

/// <summary>The reasons for which a probe definition is refused; each has one text, see <see cref="ProbeErrorText"/>.</summary>
public enum ProbeErrorCode
{
    /// <summary>No definition, an unknown kind of command, or a type that the source cannot have; the kernel logs nothing.</summary>
    Unlogged,

    /// <summary>A count follows <c>p</c>.</summary>
    MaxActiveOnKprobe,

    /// <summary>The count after <c>r</c> is no number or zero.</summary>
    BadMaxActive,

    /// <summary>The count after <c>r</c> is above 4096.</summary>
    MaxActiveTooBig,

    /// <summary>The place is malformed or unknown.</summary>
    BadProbeAddress,

    /// <summary>The symbol occurs more than once.</summary>
    SymbolNotUnique,

    /// <summary>A return probe not at a function's entry.</summary>
    BadReturnProbe,

    /// <summary>A suffix other than <c>%return</c>.</summary>
    BadAddressSuffix,

    /// <summary>A separator without a group before it.</summary>
    NoGroupName,

    /// <summary>More than 63 characters.</summary>
    GroupTooLong,

    /// <summary>The group is no identifier.</summary>
    BadGroupName,

    /// <summary>A colon without a name.</summary>
    NoEventName,

    /// <summary>More than 63 characters.</summary>
    EventTooLong,

    /// <summary>The event is no identifier.</summary>
    BadEventName,

    /// <summary>The name belongs to something that is no probe event.</summary>
    EventExists,

    /// <summary><c>$retval</c> on an ordinary probe.</summary>
    RetvalOnProbe,

    /// <summary>A stack word beyond the kernel stack.</summary>
    BadStackNumber,

    /// <summary>An argument number of zero or out of range.</summary>
    BadArgumentNumber,

    /// <summary>An unknown <c>$</c> name, or one not available at this place.</summary>
    BadVariable,

    /// <summary>An unknown <c>%</c> name.</summary>
    BadRegisterName,

    /// <summary>A number after <c>@</c> that is malformed.</summary>
    BadMemoryAddress,

    /// <summary><c>@+</c>, which is for probes in files.</summary>
    FileOffsetOnKprobe,

    /// <summary>A constant that is no number.</summary>
    BadImmediate,

    /// <summary>A constant text without its closing quote.</summary>
    ImmediateStringNotClosed,

    /// <summary>A dereference without an opening parenthesis.</summary>
    DereferenceNeedsBrace,

    /// <summary>A dereference offset that is no number.</summary>
    BadDereferenceOffset,

    /// <summary>A dereference without a closing parenthesis.</summary>
    DereferenceOpenBrace,

    /// <summary><c>$comm</c> or a constant text inside a dereference.</summary>
    CommDereferenced,

    /// <summary>No form of fetch argument.</summary>
    BadFetchArgument,

    /// <summary>More steps than an argument may have.</summary>
    TooManySteps,

    /// <summary>An array without its closing bracket.</summary>
    ArrayNotClosed,

    /// <summary>Text after the closing bracket.</summary>
    BadArraySuffix,

    /// <summary>An array size that is no number or zero.</summary>
    BadArraySize,

    /// <summary>An array size above 64.</summary>
    ArrayTooBig,

    /// <summary>An unknown type.</summary>
    BadType,

    /// <summary>A string or an array of something that is no memory.</summary>
    BadString,

    /// <summary>A symbol string of a constant or of user memory.</summary>
    BadSymbolString,

    /// <summary>A malformed bit field.</summary>
    BadBitfield,

    /// <summary>An argument name above 32 characters.</summary>
    ArgumentNameTooLong,

    /// <summary>An equals sign without a name.</summary>
    NoArgumentName,

    /// <summary>The argument name is no identifier.</summary>
    BadArgumentName,

    /// <summary>The argument name is taken.</summary>
    UsedArgumentName,

    /// <summary>A fetch argument above 63 characters.</summary>
    ArgumentTooLong,

    /// <summary>An equals sign with nothing behind.</summary>
    NoArgumentBody,

    /// <summary>The address is inside an instruction.</summary>
    NotInstructionBoundary,

    /// <summary>Any other refusal to register.</summary>
    RegistrationFailed,

    /// <summary>A kprobe added to a return probe event or the other way round.</summary>
    ProbeTypeDiffers,

    /// <summary>Arguments unlike those of the event's first probe.</summary>
    ArgumentDiffers,

    /// <summary>The same probe once more.</summary>
    SameProbe,

    /// <summary>The arguments need more than 3072 bytes.</summary>
    EventTooBig,

    /// <summary>A variable name in an image without type information.</summary>
    TypesMissing,

    /// <summary>The function has no entry in the type information.</summary>
    FunctionTypeMissing,

    /// <summary>The function has no parameter of that name.</summary>
    ParameterMissing,

    /// <summary>The structure has no member of that name.</summary>
    MemberMissing,

    /// <summary>Member access on something that is no structure.</summary>
    NotAStructure,

    /// <summary><c>$arg*</c> away from a function's entry.</summary>
    AllArgumentsNotAtEntry,

    /// <summary><c>$arg*</c> twice.</summary>
    AllArgumentsTwice,
}
