using System.Reflection;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace KprobeTrace.Tests.Mutants.Runner;

/// <summary>The tests of an assembly.</summary>
internal sealed class TestAssembly : IDisposable
{
    private readonly XunitTestFramework _framework = new(new Xunit.Sdk.NullMessageSink());
    private readonly ITestFrameworkDiscoverer _discoverer;
    private readonly ITestFrameworkExecutor _executor;
    private readonly Options _options = new();

    /// <summary>Opens one.</summary>
    public TestAssembly(string path)
    {
        _options.SetValue<bool?>("xunit.execution.DisableParallelization", true);
        _options.SetValue<bool?>("xunit.discovery.PreEnumerateTheories", false);
        _discoverer = _framework.GetDiscoverer(Reflector.Wrap(Assembly.LoadFrom(Path.GetFullPath(path))));
        _executor = _framework.GetExecutor(AssemblyName.GetAssemblyName(path));
    }

    /// <summary>All classes with tests, and how many each has.</summary>
    public IEnumerable<(string Name, int Cases)> Classes()
    {
        Discovery discovery = new();
        _discoverer.Find(false, discovery, _options);
        discovery.Finished.Wait();
        return discovery.Cases.GroupBy(test => test.TestMethod.TestClass.Class.Name).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => (group.Key, group.Count()));
    }

    /// <summary>Starts the tests of one class.</summary>
    public ClassSink Run(string name, ClassSink sink)
    {
        Discovery discovery = new();
        _discoverer.Find(name, false, discovery, _options);
        discovery.Finished.Wait();
        _executor.RunTests(discovery.Cases, sink, _options);
        return sink;
    }

    public void Dispose()
    {
        _executor.Dispose();
        _discoverer.Dispose();
        _framework.Dispose();
    }
}
