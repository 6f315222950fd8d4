namespace KprobeTrace.Tests.Report;

/// <summary>
/// A trace with an event of every shape: with and without arguments, task, stack and caller, arguments that could not be
/// read, numbers above 2^63, arrays, a type that the trace does not name; notes of a probe and of none; cut off before its footer.
/// </summary>
internal static class ShapesTrace
{
    /// <summary>The value of <c>place</c> in event 1, an address of the kernel's half.</summary>
    internal const ulong Place = 0xFFFF888003042A00;

    private const string Story = """
        image vmlinuz-shapes
        symbol do_sys_openat2 at=0xffffffff81200000 size=0x200
        symbol ksys_caller at=0xffffffff81201000
        symbol grab at=0xffffffff81210000 module=module
        p:open do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring list=+0(%dx):s8[2] place=%di:
        r:open_ret do_sys_openat2 ret=$retval:s64
        p:grab module:grab
        100 open sh-42 dfd=-100 name=/etc/passwd list={1,2} place=0xffff888003042a00 %di=0xffff888003042a00 stack=do_sys_openat2,ksys_caller+0x10
        200 open post sh-42 %di=0xffff888003042a00
        300 open sh-42 dfd=5 name=? list={3,?} place=0x7fff00001234 stack=do_sys_openat2,0x1234
        400 open fault sh-42 error=2 cr2=0xffff800000000010 handled=1
        500 open_ret sh-42 of=1 ret=-2 %ax=-2 caller=ksys_caller+0x10
        600 open - dfd=? name=x list=? place=0x8000000000000000
        700 open post -
        800 open_ret - ret=? %ax=3 caller=ksys_caller+0x10
        900 grab sh-42
        note 900 miss grab 4 "no free instance"
        note 901 remark - 1 "module module loaded"
        poke 950 grab 55 CC arm
        cut
        """;

    internal static string Write(string path) => TraceText.Parse(Story).Write(path);
}
