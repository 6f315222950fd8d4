using Xunit;
using Xunit.Abstractions;

namespace KprobeTrace.Tests.Mutants.Runner;

/// <summary>Collects the test cases of an assembly.</summary>
internal sealed class Discovery : LongLivedMarshalByRefObject, IMessageSink
{
    /// <summary>Ends with the discovery.</summary>
    public ManualResetEventSlim Finished { get; } = new();

    /// <summary>What was found.</summary>
    public List<ITestCase> Cases { get; } = [];

    public bool OnMessage(IMessageSinkMessage message)
    {
        if (message is ITestCaseDiscoveryMessage found)
        {
            Cases.Add(found.TestCase);
        }
        else if (message is IDiscoveryCompleteMessage)
        {
            Finished.Set();
        }

        return true;
    }
}
