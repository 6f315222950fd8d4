using Xunit;
using Xunit.Abstractions;

namespace KprobeTrace.Tests.Mutants.Runner;

/// <summary>Listens to one run: which tests failed, how many ran.</summary>
internal sealed class ClassSink(IReadOnlySet<string> expected) : LongLivedMarshalByRefObject, IMessageSink
{
    /// <summary>Is set when all is over.</summary>
    public ManualResetEventSlim Finished { get; } = new();

    /// <summary>Is set by the first failure that was not expected.</summary>
    public ManualResetEventSlim FirstFailure { get; } = new();

    /// <summary>Names of the tests that failed although they should not.</summary>
    public List<string> Failed { get; } = [];

    /// <summary>How many tests ran.</summary>
    public int Ran { get; private set; }

    public bool OnMessage(IMessageSinkMessage message)
    {
        switch (message)
        {
            case ITestFailed failed:
                Ran++;
                Fail(failed.Test.DisplayName);
                break;
            case ITestPassed:
                Ran++;
                break;
            case ITestCleanupFailure cleanup:
                Fail(cleanup.Test.DisplayName);
                break;
            case ITestClassCleanupFailure cleanup:
                Fail(cleanup.TestClass.Class.Name);
                break;
            case ITestCollectionCleanupFailure cleanup:
                Fail(cleanup.TestCollection.DisplayName);
                break;
            case IErrorMessage error:
                Fail(error.ExceptionTypes.FirstOrDefault() ?? "an error of the runner");
                break;
            case ITestAssemblyFinished:
                Finished.Set();
                break;
        }

        return true;
    }

    private void Fail(string name)
    {
        string line = name.ReplaceLineEndings(" ");
        if (!expected.Contains(line))
        {
            Failed.Add(line);
            FirstFailure.Set();
        }
    }
}
