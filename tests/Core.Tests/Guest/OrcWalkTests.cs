using KprobeTrace.Guest;
using Xunit;

namespace KprobeTrace.Tests.Guest;

/// <summary>Every kind of ORC rule, in every format, in stacks whose return addresses are known because they were put there.</summary>
public sealed class OrcWalkTests
{
    private const int Walks = 300;

    public static TheoryData<string> Formats => [.. OrcFormat.All.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Return_addresses_are_those_that_stand_on_the_stack(string name)
    {
        OrcFormat format = OrcFormat.All.Single(f => f.Name == name);
        ulong[] found = new ulong[32];
        for (int seed = 0; seed < Walks; seed++)
        {
            OrcWalk walk = new(format, seed);

            int count = walk.Unwinder().Walk(walk.Start, found);

            Assert.True(walk.Expected.SequenceEqual(found[..count]), $"{walk.Description}: {Show(found[..count])} instead of {Show(walk.Expected)}");
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Function_that_has_returned_leaves_the_rest(string name)
    {
        OrcFormat format = OrcFormat.All.Single(f => f.Name == name);
        ulong[] found = new ulong[32];
        int calls = 0;
        for (int seed = 0; seed < Walks; seed++)
        {
            OrcWalk walk = new(format, seed);
            if (walk.Returned is UnwindRegisters caller)
            {
                int count = walk.Unwinder().WalkReturned(caller, found);

                Assert.True(walk.Expected.SequenceEqual(found[..count]), $"{walk.Description}: {Show(found[..count])} instead of {Show(walk.Expected)}");
                calls++;
            }
        }

        Assert.InRange(calls, Walks / 4, Walks);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Walk_ends_where_there_is_no_more_room(string name)
    {
        OrcFormat format = OrcFormat.All.Single(f => f.Name == name);
        for (int seed = 0; seed < 50; seed++)
        {
            OrcWalk walk = new(format, seed);
            for (int room = 0; room <= walk.Expected.Count + 1; room++)
            {
                ulong[] found = new ulong[room];
                Assert.Equal(Math.Min(room, walk.Expected.Count), walk.Unwinder().Walk(walk.Start, found));
                Assert.Equal(walk.Expected.Take(room), found.Take(walk.Expected.Count));
            }
        }
    }

    private static string Show(IEnumerable<ulong> addresses) => string.Join(' ', addresses.Select(a => a.ToString("x", null)));
}
