namespace KprobeTrace.Tests.Mutants;

/// <summary>What is to be tried in a folder.</summary>
/// <param name="Folder">Its name.</param>
/// <param name="Wanted">How many faults of it.</param>
/// <param name="Order">Its places, in the order in which they are taken.</param>
internal sealed record FolderPlan(string Folder, int Wanted, List<Site> Order);
