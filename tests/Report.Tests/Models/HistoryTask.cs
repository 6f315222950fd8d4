using System.Text;
using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>A task of the guest. Two of one id are one task before and behind an exec.</summary>
/// <param name="Pid">Its id.</param>
/// <param name="Name">The bytes of its name, which may go on behind a zero and need not be UTF-8.</param>
internal sealed record HistoryTask(int Pid, byte[] Name)
{
    /// <summary>The name as every answer shows it: up to the first zero and to 16 bytes, U+FFFD for what is no UTF-8.</summary>
    internal string Comm
    {
        get
        {
            int end = Array.IndexOf(Name, (byte)0);
            byte[] name = end < 0 ? Name : Name[..end];
            return Encoding.UTF8.GetString(name, 0, Math.Min(name.Length, TraceComm.Size));
        }
    }

    public override string ToString() => $"{HistoryText.Quote(Comm)}-{Pid}";
}
