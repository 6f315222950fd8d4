using System.Text;
using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Guest;

public sealed class LinuxGuestTests
{
    private const ulong Text = GuestImage.Text;
    private const ulong Offsets = Text + 0x100;
    private const ulong Modules = Text + 0x200;
    private const ulong PerCpu = Text + 0x8000;
    private const ulong InitialOffset = Text + 0x7000;
    private const ulong CurrentTaskSymbol = 0x40;
    private const ulong FirstTask = Text + 0x9000;
    private const ulong SecondTask = Text + 0xA000;

    private readonly GuestRam _ram = new(Text, 0x20000);
    private readonly LoadedImage _image = GuestImage.Load(
        static bytes => BitConverter.GetBytes(InitialOffset).CopyTo(bytes, 0x100));

    private readonly SymbolTable _symbols = GuestImage.Symbols(
        ("current_task", CurrentTaskSymbol), ("_text", Text), ("__per_cpu_offset", Offsets), ("modules", Modules),
        ("_end", Text + 0x4000));

    public LinuxGuestTests()
    {
        _ram.Write(Offsets, InitialOffset).Write(InitialOffset + CurrentTaskSymbol, FirstTask).Write(Modules, Modules);
        WriteTask(FirstTask, 1, 1, "init");
        WriteTask(SecondTask, 43, 42, "a-name-of-15-ch");
    }

    [Fact]
    public void Before_there_are_per_CPU_areas_nobody_runs()
    {
        LinuxGuest guest = Create();

        guest.ReadCurrent(0, out CurrentTask task);

        Assert.True(guest.KnowsTasks);
        Assert.Equal(default, task);
        Assert.Equal("", task.Comm);
        Assert.Equal(0ul, guest.CurrentTaskAddress(0));
    }

    [Fact]
    public void Follows_the_current_task_and_its_changes()
    {
        LinuxGuest guest = Create();
        guest.ReadCurrent(0, out _);
        _ram.Write(Offsets, PerCpu).Write(PerCpu + CurrentTaskSymbol, FirstTask);

        guest.ReadCurrent(0, out CurrentTask first);
        _ram.Write(PerCpu + CurrentTaskSymbol, SecondTask);
        guest.ReadCurrent(0, out CurrentTask second);
        WriteTask(SecondTask, 43, 42, "renamed");
        guest.ReadCurrent(0, out CurrentTask renamed);

        Assert.Equal((1, 1, "init", FirstTask), (first.Pid, first.Tgid, first.Comm, first.Address));
        Assert.Equal((43, 42, "a-name-of-15-ch"), (second.Pid, second.Tgid, second.Comm));
        Assert.Equal("renamed", renamed.Comm);
        Assert.Equal(SecondTask, guest.CurrentTaskAddress(0));
    }

    [Fact]
    public void Every_CPU_has_its_own()
    {
        LinuxGuest guest = Create();
        _ram.Write(Offsets, PerCpu).Write(PerCpu + CurrentTaskSymbol, FirstTask)
            .Write(Offsets + 8, PerCpu + 0x800).Write(PerCpu + 0x800 + CurrentTaskSymbol, SecondTask);

        guest.ReadCurrent(0, out CurrentTask zero);
        guest.ReadCurrent(1, out CurrentTask one);
        guest.ReadCurrent(1000, out CurrentTask none);

        Assert.Equal((1, 43, 0), (zero.Pid, one.Pid, none.Pid));
    }

    [Fact]
    public void A_task_seen_before_costs_no_translation()
    {
        LinuxGuest guest = Create();
        _ram.Write(Offsets, PerCpu).Write(PerCpu + CurrentTaskSymbol, FirstTask);
        guest.ReadCurrent(0, out _);
        _ram.Write(PerCpu + CurrentTaskSymbol, SecondTask);
        guest.ReadCurrent(0, out _);
        int before = _ram.Translations;

        _ram.Write(PerCpu + CurrentTaskSymbol, FirstTask);
        guest.ReadCurrent(0, out CurrentTask task);

        Assert.Equal(1, task.Pid);
        Assert.Equal(before, _ram.Translations);
    }

    [Fact]
    public void A_task_that_is_not_mapped_is_nobody()
    {
        LinuxGuest guest = Create();
        _ram.Write(Offsets, PerCpu).Write(PerCpu + CurrentTaskSymbol, 0x1234);

        guest.ReadCurrent(0, out CurrentTask task);

        Assert.Equal(default, task);
    }

    [Fact]
    public void Without_types_no_task_is_known()
    {
        LinuxGuest guest = new(_image, _symbols, null, _ram);

        guest.ReadCurrent(0, out CurrentTask task);

        Assert.False(guest.KnowsTasks);
        Assert.Equal(0ul, guest.CurrentTaskAddress(0));
        Assert.Equal(default, task);
        Assert.Empty(guest.ReadModules());
    }

    [Fact]
    public void Kernels_from_6_2_keep_the_task_in_pcpu_hot()
    {
        SymbolTable symbols = GuestImage.Symbols(("pcpu_hot", 0x80), ("_text", Text), ("__per_cpu_offset", Offsets));
        LinuxGuest guest = new(_image, symbols, Types(), _ram);
        _ram.Write(Offsets, PerCpu).Write(PerCpu + 0x80 + 16, SecondTask);

        guest.ReadCurrent(0, out CurrentTask task);

        Assert.Equal(43, task.Pid);
    }

    [Fact]
    public void Offsets_of_per_CPU_areas_may_be_the_last_word_of_the_image()
    {
        LoadedImage image = GuestImage.Load(static bytes => BitConverter.GetBytes(InitialOffset).CopyTo(bytes, GuestImage.Size - 8));
        ulong last = Text + GuestImage.Size - 8;
        LinuxGuest guest = new(image, GuestImage.Symbols(("current_task", CurrentTaskSymbol), ("_text", Text), ("__per_cpu_offset", last)), Types(), _ram);
        _ram.Write(last, InitialOffset);
        Assert.Equal(0ul, guest.CurrentTaskAddress(0));
        _ram.Write(last, PerCpu).Write(PerCpu + CurrentTaskSymbol, FirstTask);
        Assert.Equal(FirstTask, guest.CurrentTaskAddress(0));
    }

    [Fact]
    public void Address_of_the_task_follows_it_by_itself()
    {
        LinuxGuest guest = Create();
        _ram.Write(Offsets, PerCpu).Write(PerCpu + CurrentTaskSymbol, FirstTask).Write(PerCpu + 0x800 + CurrentTaskSymbol, SecondTask);
        Assert.Equal(FirstTask, guest.CurrentTaskAddress(0));
        _ram.Write(Offsets, PerCpu + 0x800);
        Assert.Equal(SecondTask, guest.CurrentTaskAddress(0));
        int before = _ram.Translations;
        Assert.Equal(SecondTask, guest.CurrentTaskAddress(0));
        Assert.Equal(before, _ram.Translations);
        _ram.Write(Offsets, InitialOffset);
        Assert.Equal(0ul, guest.CurrentTaskAddress(0));
        _ram.Write(Offsets, 0x1234);
        Assert.Equal(0ul, guest.CurrentTaskAddress(0));
        _ram.Write(Offsets, PerCpu);
        Assert.Equal(FirstTask, guest.CurrentTaskAddress(0));
    }

    [Fact]
    public void Task_that_is_nowhere_does_not_spoil_what_is_known_of_another()
    {
        // Two addresses that differ by four megabytes share a place among the tasks that are remembered.
        LinuxGuest guest = Create();
        _ram.Write(Offsets, PerCpu);
        foreach ((ulong address, int pid) in new[] { (FirstTask, 1), (FirstTask + 0x40_0000, 0), (FirstTask, 1), (0ul, 0), (FirstTask, 1) })
        {
            _ram.Write(PerCpu + CurrentTaskSymbol, address);
            guest.ReadCurrent(0, out CurrentTask task);
            Assert.Equal((pid, pid == 0 ? 0 : address), (task.Pid, task.Address));
        }
    }

    [Theory]
    [InlineData("current_task")]
    [InlineData("__per_cpu_offset")]
    public void Without_either_symbol_no_task_is_known(string missing)
    {
        (string, ulong)[] all = [("current_task", CurrentTaskSymbol), ("_text", Text), ("__per_cpu_offset", Offsets)];

        Assert.False(new LinuxGuest(_image, GuestImage.Symbols([.. all.Where(s => s.Item1 != missing)]), Types(), _ram).KnowsTasks);
        Assert.True(new LinuxGuest(_image, GuestImage.Symbols(all), Types(), _ram).KnowsTasks);
    }

    [Fact]
    public void Lists_modules_with_their_symbols()
    {
        ulong module = Text + 0xC000;
        ulong symbols = Text + 0xD000;
        ulong kallsyms = Text + 0xE000;
        _ram.Write(Modules, module + 8).Write(module + 8, Modules)
            .Write(module, 1, 4).Write(module + 24, "loop\0"u8)
            .Write(module + 88, 0xFFFF_FFFF_C000_0000).Write(module + 96, 0x3000, 4).Write(module + 100, 0x2000, 4)
            .Write(module + 112, kallsyms)
            .Write(kallsyms, symbols).Write(kallsyms + 8, 2, 4).Write(kallsyms + 16, symbols + 0x100)
            .Write(kallsyms + 24, symbols + 0x200)
            .Write(symbols + 24, 1, 4).Write(symbols + 30, 3, 2).Write(symbols + 32, 0xFFFF_FFFF_C000_0040)
            .Write(symbols + 0x101, "loop_open\0"u8).Write(symbols + 0x200, "?t"u8);

        GuestModule found = Assert.Single(Create().ReadModules());

        Assert.Equal(("loop", 1u, module), (found.Name, found.State, found.Address));
        Assert.Equal(new GuestRange(0xFFFF_FFFF_C000_0000, 0xFFFF_FFFF_C000_3000), found.Core);
        Assert.Equal(new GuestRange(0xFFFF_FFFF_C000_0000, 0xFFFF_FFFF_C000_2000), found.CoreText);
        Assert.Equal([new Symbol("loop_open", 0xFFFF_FFFF_C000_0040, 0, 't', "loop")], found.Symbols);
        Assert.Equal([(found.Core.Start, found.Core.End)], found.Ranges);
    }

    [Fact]
    public void A_module_list_in_a_circle_of_its_own_ends()
    {
        ulong module = Text + 0xC000;
        _ram.Write(Modules, module + 8).Write(module + 8, module + 8);

        Assert.InRange(Create().ReadModules().Count, 1, 10_000);
    }

    private static Btf Types()
    {
        BtfBuilder types = new();
        int number = types.Int("int", 4, 1);
        int character = types.Int("char", 1, 1);
        int comm = types.Array(character, number, 16);
        int pointer = types.Pointer(0);
        types.Struct("task_struct", 0x100, ("pid", number, 64, 0), ("tgid", number, 96, 0), ("comm", comm, 512, 0));
        types.Struct("pcpu_hot", 64, ("current_task", pointer, 128, 0));
        int layout = types.Struct(
            "module_layout", 16, ("base", pointer, 0, 0), ("size", number, 64, 0), ("text_size", number, 96, 0));
        types.Struct(
            "module", 128, ("state", number, 0, 0), ("list", pointer, 64, 0), ("name", comm, 192, 0),
            ("core_layout", layout, 704, 0), ("kallsyms", pointer, 896, 0));
        types.Struct(
            "mod_kallsyms", 32, ("symtab", pointer, 0, 0), ("num_symtab", number, 64, 0), ("strtab", pointer, 128, 0),
            ("typetab", pointer, 192, 0));
        return Btf.Parse("kernel", types.Build());
    }

    private LinuxGuest Create() => new(_image, _symbols, Types(), _ram);

    private void WriteTask(ulong address, int pid, int tgid, string comm) =>
        _ram.Write(address + 8, (uint)pid, 4).Write(address + 12, (uint)tgid, 4)
            .Write(address + 64, new byte[16]).Write(address + 64, Encoding.ASCII.GetBytes(comm));
}
