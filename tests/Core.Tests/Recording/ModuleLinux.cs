using System.Text;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Recording;

/// <summary>A kernel that loads, calls and removes modules as a test says, with the functions and structures that Linux has for that.</summary>
internal sealed class ModuleLinux
{
    private const int State = 0x04;
    private const int Name = 0x18;
    private const int Memories = 0x80;
    private const int MemorySize = 0x48;
    private const int Base = 8;
    private const int Length = 20;
    private const int Kallsyms = 0x280;
    private const int InitFunction = 0x288;
    private const int LaterKallsyms = 0x290;
    private const int StructureSize = 0x400;

    private readonly SmallKernel _kernel = new();
    private readonly Dictionary<SmallModule, ulong> _structures = [];
    private ulong _next = SmallKernel.Data;

    public ModuleLinux()
    {
        int number = _kernel.Types.Int("unsigned int", 4);
        int pointer = _kernel.Types.Pointer(0);
        int name = _kernel.Types.Array(_kernel.Types.Int("char", 1), number, 56);
        int memory = _kernel.Types.Struct("module_memory", MemorySize, ("base", pointer, Base * 8, 0), ("size", number, Length * 8, 0));
        int memories = _kernel.Types.Array(memory, number, 7);
        _kernel.Types.Struct(
            "module", StructureSize,
            ("state", number, State * 8, 0), ("name", name, Name * 8, 0), ("mem", memories, Memories * 8, 0), ("kallsyms", pointer, Kallsyms * 8, 0));
        _kernel.Types.Struct(
            "mod_kallsyms", 32, ("symtab", pointer, 0, 0), ("num_symtab", number, 64, 0), ("strtab", pointer, 128, 0), ("typetab", pointer, 192, 0));
    }

    /// <summary>The kernel, for more of its code, data and symbols.</summary>
    public SmallKernel Kernel => _kernel;

    /// <summary>Places a module, has its init function run and, where that succeeds, its init part go.</summary>
    public ModuleLinux Load(SmallModule module)
    {
        ulong structure = StructureOf(module);
        Place(module.Core, module.Text, structure + 0x380);
        if (module.Init != 0)
        {
            Place(module.Init, module.InitText, structure + 0x3C0);
        }

        _kernel.Guest.Code.mov(rdi, structure);
        _kernel.Guest.Code.call(_kernel.Guest.At("do_init_module"));
        return this;
    }

    /// <summary>Removes a module.</summary>
    public ModuleLinux Remove(SmallModule module)
    {
        _kernel.Guest.Code.mov(rdi, StructureOf(module));
        _kernel.Guest.Code.call(_kernel.Guest.At("free_module"));
        return this;
    }

    /// <summary>Calls an address, a number of times.</summary>
    public ModuleLinux Call(ulong address, int times = 1)
    {
        for (int i = 0; i < times; i++)
        {
            _kernel.Guest.Code.mov(rax, address);
            _kernel.Guest.Code.call(rax);
        }

        return this;
    }

    /// <summary>Calls a function of the kernel with an argument.</summary>
    public ModuleLinux Call(string function, ulong argument = 0)
    {
        _kernel.Guest.Code.mov(rdi, argument);
        _kernel.Guest.Code.call(_kernel.Guest.At(function));
        return this;
    }

    /// <summary>Ends the guest's code; the functions of the kernel follow.</summary>
    public byte[] Build()
    {
        FlatGuest guest = _kernel.Guest;
        guest.Exit();
        guest.Mark("do_init_module").Code.push(rdi);
        guest.Code.mov(rax, __qword_ptr[rdi + InitFunction]);
        guest.Code.call(rax);
        guest.Code.pop(rdi);
        guest.Code.test(eax, eax);
        guest.Code.jne(guest.At("init_failed"));
        guest.Code.mov(__dword_ptr[rdi + State], 0);
        guest.Code.mov(__qword_ptr[rdi + Memories + (4 * MemorySize) + Base], 0);
        guest.Code.mov(rcx, __qword_ptr[rdi + LaterKallsyms]);
        guest.Code.mov(__qword_ptr[rdi + Kallsyms], rcx);
        guest.Code.ret();
        guest.Mark("init_failed").Code.push(rax);
        guest.Code.call(guest.At("free_module"));
        guest.Code.pop(rax);
        guest.Code.ret();
        guest.Mark("free_module").Code.mov(__dword_ptr[rdi + State], 2);
        guest.Code.ret();
        guest.Mark("free_initmem").Code.nop();
        guest.Code.ret();
        guest.Mark("__put_task_struct").Code.nop();
        guest.Code.ret();
        return _kernel.Build();
    }

    private void Place(ulong at, byte[] bytes, ulong kept)
    {
        bytes.CopyTo(_kernel.At(kept));
        _kernel.Guest.Code.mov(rsi, kept);
        _kernel.Guest.Code.mov(rdi, at);
        _kernel.Guest.Code.mov(ecx, bytes.Length);
        _kernel.Guest.Code.rep.movsb();
    }

    /// <summary>The module's structure, which is made where it has none, with the tables of its symbols behind it.</summary>
    private ulong StructureOf(SmallModule module)
    {
        if (!_structures.TryGetValue(module, out ulong at))
        {
            _structures[module] = at = _next;
            _next += StructureSize + 0x400;
            (string, ulong)[] core = [(module.Function, module.Core), (module.Data, module.Core + SmallModule.DataOffset)];
            _kernel.Write(at + State, 1, 4).Write(at + InitFunction, module.Init == 0 ? module.Core : module.Init);
            Encoding.ASCII.GetBytes(module.Name).CopyTo(_kernel.At(at + Name));
            _kernel.Write(at + Memories + Base, module.Core).Write(at + Memories + Length, SmallModule.CoreSize, 4);
            _kernel.Write(at + Memories + (4 * MemorySize) + Base, module.Init).Write(at + Memories + (4 * MemorySize) + Length, SmallModule.InitSize, 4);
            _kernel.Write(at + Kallsyms, Table(at + StructureSize, [.. core, (module.InitName, module.Init)]));
            _kernel.Write(at + LaterKallsyms, Table(at + StructureSize + 0x200, core));
        }

        return at;
    }

    private ulong Table(ulong at, (string Name, ulong Address)[] symbols)
    {
        _kernel.Write(at, at + 0x20).Write(at + 8, (ulong)symbols.Length, 4).Write(at + 0x10, at + 0x80).Write(at + 0x18, at + 0x70);
        ulong name = 1;
        for (int i = 0; i < symbols.Length; i++)
        {
            ulong entry = at + 0x20 + ((ulong)i * 24);
            _kernel.Write(entry, name, 4).Write(entry + 6, 1, 2).Write(entry + 8, symbols[i].Address).Write(at + 0x70 + (ulong)i, i == 1 ? 'd' : 't', 1);
            Encoding.ASCII.GetBytes(symbols[i].Name).CopyTo(_kernel.At(at + 0x80 + name));
            name += (ulong)symbols[i].Name.Length + 1;
        }

        return at;
    }
}
