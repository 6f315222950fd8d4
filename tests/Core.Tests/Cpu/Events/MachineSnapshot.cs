using System.Globalization;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Tests.Cpu.Events;

/// <summary>Everything that a guest can see of its processor and its memory at one moment; two of them differ by what an event did.</summary>
internal sealed unsafe class MachineSnapshot
{
    private static readonly string[] _registers =
        ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    private static readonly string[] _segments = ["es", "cs", "ss", "ds", "fs", "gs"];

    private readonly List<(string Name, ulong Value)> _values = [];
    private readonly byte[] _memory;

    internal MachineSnapshot(TestGuest guest)
    {
        CpuState* s = guest.State;
        for (int i = 0; i < 16; i++)
        {
            Add(_registers[i], s->R[i]);
        }

        Add("rip", s->Rip);
        Add("flags", LazyFlags.Get(s));
        Add("cpl", (ulong)s->Cpl);
        for (int i = 0; i < 6; i++)
        {
            Add(_segments[i], s->Segments[i]);
        }

        Add("ldtr", s->Ldtr);
        Add("tr", s->Tr);
        Add("gdt.base", s->GdtBase);
        Add("gdt.limit", s->GdtLimit);
        Add("idt.base", s->IdtBase);
        Add("idt.limit", s->IdtLimit);
        Add("cr0", s->Cr0);
        Add("cr2", s->Cr2);
        Add("cr3", s->Cr3);
        Add("cr4", s->Cr4);
        Add("cr8", guest.Bus.TaskPriority);
        for (int i = 0; i < 8; i++)
        {
            Add("dr" + i.ToString(CultureInfo.InvariantCulture), s->Dr[i]);
        }

        Add("efer", s->Efer);
        Add("star", s->Star);
        Add("lstar", s->Lstar);
        Add("cstar", s->Cstar);
        Add("sfmask", s->Sfmask);
        Add("kernelgsbase", s->KernelGsBase);
        Add("tscaux", s->TscAux);
        Add("tscoffset", (ulong)s->TscOffset);
        Add("halted", (ulong)s->Halted);
        Add("mxcsr", s->Mxcsr);
        Add("fpu.control", s->FpuControl);
        Add("fpu.status", s->FpuStatus);
        Add("fpu.tags", s->FpuTags);
        _memory = new byte[TestGuest.PageTables];
        guest.Memory.TryRead(0, _memory);
    }

    /// <summary>What has changed since: <c>name old new</c> in hexadecimal, registers first, then each eight bytes of memory.</summary>
    internal IEnumerable<string> Changes(MachineSnapshot later)
    {
        for (int i = 0; i < _values.Count; i++)
        {
            if (_values[i].Value != later._values[i].Value)
            {
                yield return $"{_values[i].Name} {_values[i].Value:x} {later._values[i].Value:x}";
            }
        }

        for (int at = 0; at < _memory.Length; at += 8)
        {
            ulong before = BitConverter.ToUInt64(_memory, at);
            ulong after = BitConverter.ToUInt64(later._memory, at);
            if (before != after)
            {
                yield return $"[{at:x}] {before:x} {after:x}";
            }
        }
    }

    private void Add(string name, ulong value) => _values.Add((name, value));

    private void Add(string name, in Segment segment)
    {
        Add(name, segment.Selector);
        Add(name + ".base", segment.Base);
        Add(name + ".limit", segment.Limit);
        Add(name + ".attributes", segment.Attributes);
    }
}
