using Parquet;
using Parquet.Schema;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>The type that an argument's column has in Parquet: unsigned where all 64 bits count, signed where they do not, text for the rest.</summary>
public sealed class ParquetTypeTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("u8", typeof(long), "5")]
    [InlineData("u32", typeof(long), "4294967295")]
    [InlineData("u64", typeof(ulong), "18446744073709551615")]
    [InlineData("s64", typeof(long), "-1")]
    [InlineData("s32", typeof(long), "-5")]
    [InlineData("x32", typeof(long), "5")]
    [InlineData("x64", typeof(ulong), "18446744073709551615")]
    [InlineData("b64@0/64", typeof(ulong), "18446744073709551615")]
    [InlineData("b63@1/64", typeof(long), "5")]
    [InlineData("b6@4/64", typeof(long), "5")]
    [InlineData("symbol", typeof(ulong), "18446744071578845184")]
    [InlineData("string", typeof(string), "x y")]
    [InlineData("u64[2]", typeof(string), "[1,2]")]
    public async Task Column_of_one_argument(string type, Type column, string value)
    {
        string argument = type.EndsWith(']') ? "{1,2}" : type == "string" ? "\"x y\"" : value is "18446744073709551615" ? "-1" : value;
        string where = type == "string" || type.EndsWith(']') ? "+0(%si)" : "%di";
        string trace = _folder.Trace($"p:e f a={where}:{type}\n1 e a={argument}");

        Assert.Equal((column, value), await ReadAsync(trace));
    }

    /// <summary>Probes of two groups with one event name, and the column that holds the values of both.</summary>
    [Theory]
    [InlineData("u64", "x64", typeof(ulong))]
    [InlineData("u64", "s64", typeof(long))]
    [InlineData("s32", "u64", typeof(long))]
    [InlineData("s32", "string", typeof(string))]
    [InlineData("string", "u64", typeof(string))]
    public async Task Column_of_arguments_of_one_name_holds_all_of_them(string first, string second, Type column)
    {
        string trace = _folder.Trace($"p:one/e f a={Place(first)}:{first}\np:two/e g b=%di:u8 a={Place(second)}:{second}\n1 e a=7");

        Assert.Equal((column, "7"), await ReadAsync(trace));

        static string Place(string type) => type == "string" ? "+0(%si)" : "%di";
    }

    private async Task<(Type Type, string Value)> ReadAsync(string trace)
    {
        _ = Tool.Good("export", trace, "--to", "parquet", "-o", _folder["set"]);
        using FileStream stream = File.OpenRead(Directory.GetFiles(_folder["set"], "*.parquet", SearchOption.AllDirectories).Single());
        ParquetReader reader = await ParquetReader.CreateAsync(stream);
        await using (reader)
        {
            DataField field = reader.Schema.GetDataFields().Single(static f => f.Name == "arg_a");
            using ParquetRowGroupReader group = reader.OpenRowGroupReader(0);
            int rows = (int)group.RowCount;
            if (field.ClrType == typeof(ulong))
            {
                ulong?[] addresses = new ulong?[rows];
                await group.ReadAsync<ulong>(field, addresses.AsMemory());
                return (field.ClrType, $"{addresses[0]}");
            }

            if (field.ClrType == typeof(long))
            {
                long?[] numbers = new long?[rows];
                await group.ReadAsync<long>(field, numbers.AsMemory());
                return (field.ClrType, $"{numbers[0]}");
            }

            string?[] texts = new string?[rows];
            await group.ReadAsync(field, texts.AsMemory());
            return (typeof(string), texts[0]!);
        }
    }
}
