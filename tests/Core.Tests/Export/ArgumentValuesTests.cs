using System.Text;
using KprobeTrace.Export;
using Xunit;

namespace KprobeTrace.Tests.Export;

/// <summary>Arguments of an event, taken out of their JSON text in order.</summary>
public sealed class ArgumentValuesTests
{
    /// <summary>Each value as number/text, with - for null and N behind what could not be read.</summary>
    [Theory]
    [InlineData("", "")]
    [InlineData("{}", "")]
    [InlineData("""{"a":0}""", "0/0")]
    [InlineData("""{"a":-9223372036854775808,"b":9223372036854775807}""", "-9223372036854775808/-9223372036854775808 9223372036854775807/9223372036854775807")]
    [InlineData("""{"a":"x","b":"","c":"1"}""", "-/x -/ -/1")]
    [InlineData("""{"a":null,"b":7}""", "-/-N 7/7")]
    [InlineData("""{"a":[1,[2,null]],"b":7}""", "-/[1,[2,null]] 7/7")]
    [InlineData("""{"a":["b","\"]"]}""", """-/["b","\"]"]""")]
    [InlineData("""{"a":18446744073709551615}""", "-/18446744073709551615")]
    [InlineData("""{"a":1.5,"b":true}""", "-/1.5 -/true")]
    [InlineData("""{"a":1,"b":""", "1/1")]
    [InlineData("""{"a":1,"b":2""", "1/1 2/2")]
    [InlineData("""{"a":1,"b":[2""", "1/1")]
    [InlineData("""{"a":1,"b":"2""", "1/1")]
    [InlineData("""{"a":"q\"b\\n\u001f","b":7}""", "-/q\"b\\n\u001f 7/7")]
    [InlineData("""{"a":1,"b":"\q"}""", "1/1")]
    [InlineData("""{"a":{"b":[1,"}"]},"c":7}""", """-/{"b":[1,"}"]} 7/7""")]
    [InlineData("""{"a":1,b:2}""", "1/1")]
    [InlineData("[1,2]", "")]
    [InlineData("7", "")]
    [InlineData("nothing", "")]
    public void Values_are_those_of_the_object_as_far_as_it_can_be_read(string json, string expected)
    {
        ArgumentValues values = new();
        values.Read("""{"before":1,"there":2,"were":3}"""u8);
        values.Read(Encoding.UTF8.GetBytes(json));

        Assert.Equal(
            expected,
            string.Join(' ', Enumerable.Range(0, values.Count).Select(i =>
                $"{values.Number(i)?.ToString(null, null) ?? "-"}/{values.Text(i) ?? "-"}{(values.IsNull(i) ? "N" : "")}")));
        Assert.Equal((null, null, true), (values.Number(values.Count), values.Text(values.Count), values.IsNull(values.Count)));
    }
}
