using Xunit;

namespace KprobeTrace.Tests.Devices.Models;

/// <summary>A seeded walk over a device and its model, which tells its last steps where the two differ.</summary>
internal sealed class RandomWalk(int seed)
{
    private const int Remembered = 40;
    private readonly Queue<string> _steps = new();

    public Random Random { get; } = new(seed);

    /// <summary>A number from 0, below <paramref name="count"/>.</summary>
    public int Below(int count) => Random.Next(count);

    /// <summary>A byte, often one of few bits or at an end.</summary>
    public byte Byte() => Below(4) switch
    {
        0 => (byte)(1 << Below(8)),
        1 => (byte)(Below(2) * 0xFF),
        _ => (byte)Below(256),
    };

    public T OneOf<T>(params ReadOnlySpan<T> values) => values[Below(values.Length)];

    public void Note(string step)
    {
        if (_steps.Count == Remembered)
        {
            _ = _steps.Dequeue();
        }

        _steps.Enqueue(step);
    }

    public void Same<T>(T model, T device, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(model, device))
        {
            Assert.Fail($"seed {seed}, {what}: the model has {model:x}, the device {device:x}, after\n{string.Join('\n', _steps)}");
        }
    }
}
