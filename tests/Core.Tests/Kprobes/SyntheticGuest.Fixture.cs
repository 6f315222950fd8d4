using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Kprobes;

/// <content>The functions of the conformance rows, and the guest's exception handlers.</content>
internal sealed unsafe partial class SyntheticGuest
{
    /// <summary>The data word that <c>rip</c> reads.</summary>
    public const ulong Global = DataBase + 0x1000;

    /// <summary>0: a page fault goes to the fix-up of <c>getu</c>; 1: it is repaired by mapping user page 2.</summary>
    public const ulong PageFaultMode = DataBase + 0x1008;

    private void DefineFixture()
    {
        // callr11: call r11; hlt; and a jump back to the halt, for interrupts that end it.
        Define("callr11", 0x41, 0xFF, 0xD3, 0xF4, 0xEB, 0xFD);
        ulong leaf = Define("leaf", 0x8D, 0x47, 0x03, 0xC3);
        Define("frame", 0x55, 0x48, 0x89, 0xE5, 0x89, 0xF8, 0x83, 0xC0, 0x01, 0x5D, 0xC3);
        Define("rip", Relative([0x8B, 0x05], Global, 6, [0xC3]));
        Define("riplea", Relative([0x48, 0x8D, 0x05], Global, 7, [0xC3]));
        Define("jcc", 0x85, 0xFF, 0x74, 0x03, 0x31, 0xC0, 0xC3, 0x6A, 0x07, 0x58, 0xC3);
        Define("loopf", 0x89, 0xF9, 0x31, 0xC0, 0xFF, 0xC0, 0xE2, 0xFC, 0xC3);
        Define("callrel", Relative([0xE8], leaf, 5, [0xFF, 0xC0, 0xC3]));
        Define("callind", Relative([0x48, 0x8D, 0x05], leaf, 7, [0xFF, 0xD0, 0xC3]));
        WriteWord(Global + 0x100, leaf);
        Define("jmpind", Relative([0xFF, 0x25], Global + 0x100, 6, []));
        Define("pushf", 0x9C, 0x58, 0xC3);
        Define("popf", 0x57, 0x9D, 0x9C, 0x58, 0xC3);
        Define("clisti", 0xFA, 0x90, 0xFB, 0x90, 0xC3);
        Define("repst", 0x89, 0xF1, 0xB0, 0x5A, 0xF3, 0xAA, 0xC3);
        Define("getu", 0x8B, 0x07, 0xC3);
        Define("opt", 0x55, 0x48, 0x89, 0xE5, 0x90, 0x90, 0x89, 0xF8, 0x5D, 0xC3);
        Define("jwin3", 0x55, 0x48, 0x89, 0xE5, 0x90, 0x90, 0x89, 0xF8, 0x5D, 0xC3, 0xEB, 0xF8);
        Define("jwin5", 0x55, 0x48, 0x89, 0xE5, 0x90, 0x90, 0x89, 0xF8, 0x5D, 0xC3, 0xEB, 0xF9);
        Define("ind2", 0x55, 0x48, 0x89, 0xE5, 0x90, 0x90, 0x89, 0xF8, 0x5D, 0xC3, 0xFF, 0xE0);
        Text.Bugs.Add(Define("bugf", 0x90, 0x0F, 0x0B, 0xC3) + 1);
        Define("stcf", 0xF8, 0xF9, 0x0F, 0x92, 0xC0, 0x0F, 0xB6, 0xC0, 0xC3);
        ulong skey = Define("skey", 0x90, 0x0F, 0x1F, 0x44, 0x00, 0x00, 0xC3);
        Text.JumpLabels.Add((skey + 1, skey + 6));
        ulong blacklisted = Define("nokp", 0x90, 0x90, 0xC3);
        Text.BlacklistRanges.Add(new(blacklisted, blacklisted + 16, "nokp"));
        Define("nokp.isra.0", 0x90, 0x90, 0xC3);

        // third: mov eax,edi; mov ecx,3; xor edx,edx; div ecx; ret
        Define("third", 0x89, 0xF8, 0xB9, 0x03, 0, 0, 0, 0x31, 0xD2, 0xF7, 0xF1, 0xC3);

        // rec: test edi,edi; jz +8; dec edi; call rec; inc eax; ret; xor eax,eax; ret
        Define("rec", 0x85, 0xFF, 0x74, 0x0A, 0xFF, 0xCF, 0xE8, 0xF5, 0xFF, 0xFF, 0xFF, 0xFF, 0xC0, 0xC3,
            0x31, 0xC0, 0xC3);

        // six: lea eax,[rdi+rsi]; add eax,edx; add eax,ecx; add eax,r8d; add eax,r9d; ret
        Define("six", 0x8D, 0x04, 0x37, 0x01, 0xD0, 0x01, 0xC8, 0x44, 0x01, 0xC0, 0x44, 0x01, 0xC8, 0xC3);

        // retimm: mov eax,edi; ret 8. Its caller pushes a word first: push rdi; call retimm; ret.
        ulong retimm = Define("retimm", 0x89, 0xF8, 0xC2, 0x08, 0x00);
        Define("callretimm", Relative([0x57, 0xE8], retimm, 6, [0xC3]));

        // tail: inc edi; jmp leaf
        Define("tail", Relative([0xFF, 0xC7, 0xE9], leaf, 7, []));

        // nested: push rbx; call third; lea ebx,[rax]; call leaf; add eax,ebx; pop rbx; ret
        ulong third = this["third"];
        ulong nested = _nextText;
        Define("nested", [0x53, .. Displaced(0xE8, third, nested + 6), 0x8D, 0x18,
            .. Displaced(0xE8, leaf, nested + 13), 0x01, 0xD8, 0x5B, 0xC3]);

        // foreign: nop; int3; mov eax,5; ret
        Define("foreign", 0x90, 0xCC, 0xB8, 0x05, 0, 0, 0, 0xC3);

        // long11: mov qword [rip+d],imm32 is 11 bytes: 48 C7 05 d32 i32; ret
        Define("long11", Relative([0x48, 0xC7, 0x05], Global + 0x200, 11, [0x78, 0x56, 0x34, 0x12, 0xC3]));

        // prefixed: lea eax,[edi+3] with 67; mov eax,cs:eax... with 2E is a plain nop here: 67 8D 47 03; 2E 90; C3
        Define("prefixed", 0x67, 0x8D, 0x47, 0x03, 0x2E, 0x90, 0xC3);
        Define("movss", 0x66, 0x8C, 0xD0, 0x8E, 0xD0, 0x89, 0xF8, 0xC3);
        Define("locked", Relative([0xF0, 0xFF, 0x05], Global, 7, [0xC3]));
        Define("misc", 0x53, 0x31, 0xC0, 0x0F, 0xA2, 0x5B, 0x0F, 0x31, 0x0F, 0x1F, 0x00, 0x89, 0xF8, 0xC3);
        Define("divide", 0x31, 0xD2, 0x89, 0xF8, 0xF7, 0xF6, 0xC3);
        Define("undefined", 0x0F, 0x0B, 0xB8, 0x01, 0, 0, 0, 0xC3);
        Define("halt", 0xF4, 0x89, 0xF8, 0xC3);
        Define("retonly", 0xC3);
        Define("storeu", 0x89, 0x37, 0xC3);
        Text.KernelText = (TextBase, _nextText);

        DefineAt("init_fn", InitBase, 0x89, 0xF8, 0xC3);
        Text.InitText = (InitBase, InitBase + 16);
        Text.LoadModule("tmod", ModuleBase, ModuleInitBase);
        DefineAt("tmod:tmod_fn", ModuleBase, 0x8D, 0x47, 0x07, 0xC3);
        DefineAt("tmod:tmod_init", ModuleInitBase, 0x31, 0xC0, 0xC3);
        WriteWord(Global, 0x1234);
        DefineHandlers();
    }

    private byte[] Relative(byte[] opcode, ulong target, int length, byte[] rest)
    {
        int displacement = (int)(target - (_nextText + (ulong)length));
        return [.. opcode, .. BitConverter.GetBytes(displacement), .. rest];
    }

    private static byte[] Displaced(byte opcode, ulong target, ulong next) =>
        [opcode, .. BitConverter.GetBytes((int)(target - next))];

    private void DefineHandlers()
    {
        for (int vector = 0; vector < 256; vector++)
        {
            Assembler code = new(64);
            bool hasError = vector is 8 or 10 or 11 or 12 or 13 or 14 or 17;
            ulong counter = DataBase + ((ulong)vector * 16);
            code.push(rax);
            code.push(rcx);
            code.mov(rcx, counter);
            code.inc(__qword_ptr[rcx]);
            code.mov(rax, __[rsp + (hasError ? 24 : 16)]);
            code.mov(__[rcx + 8], rax);
            AssembleEnd(code, vector, hasError);
            using MemoryStream stream = new();
            code.Assemble(new StreamCodeWriter(stream), LinkBase + 0x10_0000 + ((ulong)vector * 64));
            Write(HandlerAddress(vector), stream.ToArray());
        }

        // Repairs a page fault by mapping user page 2; too long for a handler's slot.
        Assembler repair = new(64);
        repair.mov(rcx, UserPageEntry(2));
        repair.mov(rax, 0x1A0_2007);
        repair.mov(__[rcx], rax);
        repair.mov(rcx, UserBase + 0x2000);
        repair.invlpg(__byte_ptr[rcx]);
        repair.pop(rcx);
        repair.pop(rax);
        repair.add(rsp, 8);
        repair.iretq();
        using MemoryStream repairBytes = new();
        repair.Assemble(new StreamCodeWriter(repairBytes), RepairAddress);
        Write(RepairAddress, repairBytes.ToArray());
    }

    private const ulong RepairAddress = LinkBase + 0x11_0000;

    private static ulong HandlerAddress(int vector) => LinkBase + 0x10_0000 + ((ulong)vector * 64);

    private static void AssembleEnd(Assembler code, int vector, bool hasError)
    {
        switch (vector)
        {
            case 1:
                code.and(__dword_ptr[rsp + 32], ~0x100);
                break;
            case 6:
                // Steps over the two bytes of ud2.
                code.add(__qword_ptr[rsp + 16], 2);
                break;
            case 14:
                Label fixup = code.CreateLabel();
                code.mov(rcx, PageFaultMode);
                code.cmp(__dword_ptr[rcx], 0);
                code.je(fixup);
                code.jmp(RepairAddress);
                code.Label(ref fixup);

                // The exception table's one entry: the load and the store skip themselves and give -14.
                code.add(__qword_ptr[rsp + 24], 2);
                code.pop(rcx);
                code.add(rsp, 16);
                code.mov(eax, -14);
                code.iretq();
                return;
            case 0 or 13:
                code.hlt();
                return;
            default:
                break;
        }

        code.pop(rcx);
        code.pop(rax);
        if (hasError)
        {
            code.add(rsp, 8);
        }

        code.iretq();
    }
}
