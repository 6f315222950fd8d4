using Iced.Intel;

namespace KprobeTrace.Tests.Oracle;

public sealed class FormTableTests
{
    [Fact]
    public void Every_line_of_the_refusal_table_fits_a_form()
    {
        string[] idle = FormTable.Refusals
            .Where(refusal => !FormTable.InScope.Any(code => refusal.Pattern.IsMatch(code.ToString())))
            .Select(refusal => refusal.Text)
            .ToArray();

        Assert.Empty(idle);
    }

    [Fact]
    public void Every_form_is_compared_or_refused_with_a_reason()
    {
        var compared = FormTable.Compared.Select(form => form.Code).ToHashSet();

        Assert.All(FormTable.InScope, code => Assert.True(compared.Contains(code) != FormTable.RefusalOf(code) is { Length: > 0 }));
        Assert.True(FormTable.Compared.Count > 1200, $"only {FormTable.Compared.Count} forms are compared");
    }

    [Fact]
    public void Every_compared_form_has_cases_that_are_always_the_same()
    {
        var first = new CaseGenerator(7);
        var second = new CaseGenerator(7);

        Assert.All(FormTable.Compared, form =>
        {
            first.Create(form, 3);
            TestCase one = first.Create(form, 4);
            TestCase again = second.Create(form, 4);
            Assert.Equal(form.Code, one.Form);
            Assert.Equal(one.Bytes, again.Bytes);
            Assert.Equal(one.Initial.Gpr, again.Initial.Gpr);
            Assert.Equal(one.Initial.Fx, again.Initial.Fx);
        });
    }

    [Fact]
    public void Forms_of_undeclared_sets_are_out_of_scope()
    {
        Assert.DoesNotContain(Code.Movbe_r64_m64, FormTable.InScope);
    }
}
