using System.Text;
using KprobeTrace.Export;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>A row of every kind of value, in every format of rows.</summary>
public sealed class RowFormatTests : IDisposable
{
    private const string Kinds = "SELECT -9223372036854775808 AS whole, 2.5 AS real, NULL AS none, x'00ffA1' AS bytes, '' AS empty, 'a,\"b\"' AS text, 1e999 AS endless";

    private const string Args = """SELECT '{"a":[1]}' AS args, '{"a":1' AS args, '{a}' AS args, '{}' AS args, '[1]' AS args, '{}' AS other, '{' AS args, '' AS args, '}' AS args""";

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("csv", "whole,real,none,bytes,empty,text,endless\r\n-9223372036854775808,2.5,,00ffa1,\"\",\"a,\"\"b\"\"\",Inf\r\n")]
    [InlineData("jsonl", """{"whole":-9223372036854775808,"real":2.5,"none":null,"bytes":"00ffa1","empty":"","text":"a,\"b\"","endless":null}""" + "\n")]
    [InlineData("json", "[\n" + """{"whole":-9223372036854775808,"real":2.5,"none":null,"bytes":"00ffa1","empty":"","text":"a,\"b\"","endless":null}""" + "\n]\n")]
    [InlineData("tsv", "-9223372036854775808\t2.5\t\\N\t00ffa1\t\ta,\"b\"\tInfinity\n")]
    public void Each_kind_of_value_has_its_form(string format, string expected) => Assert.Equal(expected, Write(format, Kinds));

    [Theory]
    [InlineData("jsonl", "")]
    [InlineData("json", "[]\n")]
    [InlineData("csv", "a,b\r\n")]
    [InlineData("tsv", "")]
    public void No_row_is_the_least_that_a_format_has(string format, string expected) => Assert.Equal(expected, Write(format, "SELECT 1 AS a, 2 AS b WHERE 0"));

    [Theory]
    [InlineData("jsonl", "{\"a\":1}\n{\"a\":2}\n")]
    [InlineData("json", "[\n{\"a\":1},\n{\"a\":2}\n]\n")]
    [InlineData("csv", "a\r\n1\r\n2\r\n")]
    [InlineData("tsv", "1\n2\n")]
    public void Two_rows_stand_below_each_other(string format, string expected) => Assert.Equal(expected, Write(format, "SELECT 1 AS a UNION ALL SELECT 2"));

    [Fact]
    public void A_column_called_args_that_holds_an_object_stays_one_and_names_are_given_once() => Assert.Equal(
        """{"args":{"a":[1]},"args_2":"{\"a\":1","args_3":"{a}","args_4":"{}","args_5":"[1]","other":"{}","args_6":"{","args_7":"","args_8":"}"}""" + "\n", Write("jsonl", Args));

    /// <summary>Escapes of ClickHouse's TabSeparated.</summary>
    [Fact]
    public void A_text_between_tabs_has_its_special_characters_escaped() => Assert.Equal(
        "a\\tb\\nc\\rd\\be\\ff\\\\g\\'h\\0i\t\\t\n", Write("tsv", "SELECT 'a'||char(9)||'b'||char(10)||'c'||char(13)||'d'||char(8)||'e'||char(12)||'f\\g''h'||char(0)||'i', char(9)"));

    private string Write(string format, string sql)
    {
        using TraceHistory history = TraceHistory.Open(_folder.Trace("p:f f\n1 f"));
        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            IRowSink rows = format switch
            {
                "csv" => new CsvRows(output),
                "tsv" => new TsvRows(output),
                _ => new JsonRows(output, lines: format == "jsonl"),
            };
            SqlQuery.Run(history, sql, rows);
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
