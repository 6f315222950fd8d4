namespace KprobeTrace.Tests.Mutants;

/// <summary>What the command line asks for.</summary>
/// <param name="Root">The repository.</param>
/// <param name="Seed">What the sample is drawn by.</param>
/// <param name="Count">How many faults.</param>
/// <param name="Folders">The folders to plant in, all where it is empty.</param>
/// <param name="ListOnly">Whether only the list is printed.</param>
/// <param name="Budget">The time for all of it, zero for as long as it takes.</param>
/// <param name="Jobs">How many test processes run at a time.</param>
/// <param name="Rerun">An earlier output whose survivors are tried again, or null.</param>
/// <param name="Argued">The list of faults that change nothing.</param>
/// <param name="Verbose">Whether every verdict is printed with its reason.</param>
internal sealed record Settings(
    string Root, string Seed, int Count, string[] Folders, bool ListOnly, TimeSpan Budget, int Jobs, string? Rerun, string Argued, bool Verbose);
