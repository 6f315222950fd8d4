namespace KprobeTrace.Store;

/// <summary>Where an import's numbers begin, so that it can join a database that holds other runs.</summary>
/// <param name="Run">Number of the run.</param>
/// <param name="LastPlace">Largest number of a place that is taken.</param>
/// <param name="LastComm">Largest number of a task name that is taken.</param>
/// <param name="LastKept">Largest number of a row of kept registers that is taken.</param>
internal readonly record struct ImportNumbers(long Run, long LastPlace = 0, long LastComm = 0, long LastKept = 0);
