using Xunit;

namespace KprobeTrace.Tests.Cpu.Handlers;

/// <summary>
/// The bounce buffer stands in for one operand: a handler that is executed on it must go to memory once, whatever way it takes, or
/// its second access would meet the buffer or overwrite it.
/// </summary>
public sealed class HandlerMemoryTests
{
    [Fact]
    public void Every_handler_that_the_bounce_buffer_executes_makes_one_access()
    {
        List<System.Reflection.MethodInfo> handlers = [.. HandlerCatalogue.All.Where(MemoryPaths.CanMiss)];

        Assert.InRange(handlers.Count, 500, 100_000);
        Assert.Empty(handlers.Where(h => MemoryPaths.Most(h) != 1).Select(h => $"{HandlerCatalogue.Name(h)}: {MemoryPaths.Most(h)}"));
    }
}
