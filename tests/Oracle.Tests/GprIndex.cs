namespace KprobeTrace.Tests.Oracle;

/// <summary>Numbers of the general registers as instructions encode them.</summary>
internal static class GprIndex
{
    public const int Rax = 0;
    public const int Rcx = 1;
    public const int Rdx = 2;
    public const int Rbx = 3;
    public const int Rsp = 4;
    public const int Rbp = 5;
    public const int Rsi = 6;
    public const int Rdi = 7;
}
