using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

public sealed class DiffWindowTests
{
    [Fact]
    public void Events_keep_all_they_have_while_the_window_grows_and_loses_its_front()
    {
        Random random = new(1);
        DiffWindow window = new();
        List<(uint Seq, int Call, ushort Group, uint Content, ulong Time, uint Partner, DiffEquality Equal)> list = [];
        for (uint round = 0; round < 12; round++)
        {
            for (int i = random.Next(600); i >= 0; i--)
            {
                uint seq = (uint)random.Next();
                (int call, ushort group, uint content, ulong time) = (random.Next(), (ushort)random.Next(65536), (uint)random.Next(), (ulong)random.NextInt64());
                window.Add(seq, call, group, content, time);
                Assert.Equal(DiffWindow.Undecided, window.Partner[window.Count - 1]);
                DiffEquality equal = (DiffEquality)random.Next(4);
                window.Partner[window.Count - 1] = seq ^ 1;
                window.Equal[window.Count - 1] = equal;
                list.Add((seq, call, group, content, time, seq ^ 1, equal));
            }

            int gone = random.Next(3) == 0 ? 0 : random.Next(Math.Min(list.Count, 500));
            window.Drop(gone);
            list.RemoveRange(0, gone);

            Assert.Equal(list.Count, window.Count);
            Assert.Equal(
                list,
                Enumerable.Range(0, window.Count).Select(i =>
                    (window.Seqs[i], window.Calls[i], window.Groups[i], window.Contents[i], window.Times[i], window.Partner[i], window.Equal[i])));
        }
    }
}
