using KprobeTrace.Devices.Interrupts;

namespace KprobeTrace.Tests.Devices.Interrupts;

/// <summary>Counts the rising edges of a line.</summary>
internal sealed class LevelRecorder : IInterruptInput
{
    public bool Level { get; private set; }

    public int Rises { get; private set; }

    public static (InterruptLine Line, LevelRecorder Seen) Create()
    {
        InterruptLine line = new();
        LevelRecorder seen = new();
        line.Connect(seen, 0);
        return (line, seen);
    }

    public void SetInput(int input, bool level)
    {
        Level = level;
        Rises += level ? 1 : 0;
    }
}
