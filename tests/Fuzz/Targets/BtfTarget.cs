using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Symbols;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Type information: every type is looked at in every way.</summary>
internal sealed class BtfTarget : IFuzzTarget
{
    private static readonly string[] _names = ["task_struct", "pid", "list", "fn", "comm", "next", "", "nothing"];

    public string Name => "btf";

    public string Summary => "damaged BTF, every type described, every member resolved";

    public byte[] Generate(FuzzRandom random)
    {
        BtfBuilder builder = new();
        int number = builder.Int("int", 4, 1);
        int character = builder.Int("char", 1, 3);
        int pointer = builder.Pointer(random.Next(1, 12));
        int array = builder.Array(character, number, 16);
        int list = builder.Struct("list", 16, ("next", random.Next(1, 12), 0, 0), ("prev", pointer, 64, 0));
        for (int i = random.Next(12); i >= 0; i--)
        {
            BtfKind kind = random.Pick(BtfKind.Typedef, BtfKind.Const, BtfKind.Volatile, BtfKind.PointerTo, BtfKind.Struct);
            _ = kind == BtfKind.Struct
                ? builder.Struct("task_struct", 64, ("pid", number, (uint)random.Next(64), (uint)random.Next(9)), ("", random.Next(1, 20), 64, 0), ("comm", array, 128, 0))
                : builder.Refer(kind, random.Next(1, 20), kind == BtfKind.Typedef ? "alias" : "");
        }

        _ = builder.Union("u", 8, ("pid", number, 0, 0), ("list", list, 0, 0));
        _ = builder.Enum("e", random.OneIn(2), ("A", 1), ("B", uint.MaxValue));
        _ = builder.Function("fn", number, ("path", pointer), ("count", number), ("list", random.Next(1, 20)));
        return random.OneIn(8) ? builder.Build() : Mutator.Mutate(random, builder.Build());
    }

    public void Run(byte[] input)
    {
        Btf btf = Btf.Parse("fuzz", input);
        InvariantException.Require(btf.Count <= (input.Length / 12) + 2, "more types than fit into the bytes");
        for (int id = 0; id < btf.Count; id++)
        {
            BtfType type = btf.TypeOf(id);
            _ = btf.NameOf(id);
            _ = btf.SizeOf(id);
            _ = btf.ScalarOf(id);
            _ = btf.Resolve(id);
            foreach (BtfMember member in btf.MembersOf(type).Take(20))
            {
                _ = btf.FindMember(type, member.Name);
            }

            _ = btf.FindMember(type, "pid");
        }

        foreach (string name in _names)
        {
            if (btf.FindStruct(name) is BtfType structure)
            {
                _ = btf.OffsetOf(name, "pid");
                _ = btf.MembersOf(structure);
            }

            foreach (BtfParameter parameter in btf.FindFunction(name)?.Parameters ?? [])
            {
                _ = btf.ScalarOf(parameter.Type);
            }
        }
    }
}
