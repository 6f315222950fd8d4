using System.Text;
using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

/// <summary>The reader of arguments ends where their JSON does, wherever somebody cut it.</summary>
public sealed class ArgumentReaderTests
{
    [Fact]
    public void Cut_off_arguments_are_read_to_where_they_end()
    {
        byte[] whole = Encoding.UTF8.GetBytes("""{"a":1,"b":"x\"y","c":[1,"z",null],"d":-5}""");
        for (int length = 0; length <= whole.Length; length++)
        {
            ArgumentReader reader = new(whole.AsSpan(0, length));
            List<string> names = [];
            while (reader.NextName(out ReadOnlySpan<byte> name) && reader.Skip())
            {
                names.Add(Encoding.UTF8.GetString(name));
                reader.NextValue();
            }

            Assert.Equal(((string[])["a", "b", "c", "d"]).Take(names.Count), names);
            Assert.True(names.Count == 4 || length < whole.Length - 1, $"{length}: {names.Count}");
        }
    }
}
