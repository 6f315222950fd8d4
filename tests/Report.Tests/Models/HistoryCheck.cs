using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using CsCheck;
using Xunit.Sdk;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Holds what a tool says of generated histories against a model.</summary>
/// <remarks>
/// <para>
/// The same seed gives the same histories on every host. <c>KPROBETRACE_MODELS=N</c> takes N times as many (a nightly run: 50),
/// <c>KPROBETRACE_MODEL_SEED=TEXT</c> others. A history that fails is shrunk, and printed with the question that failed.
/// </para>
/// <para>
/// CsCheck draws; it shrinks by drawing again, which finds no small history of a rare fault, so plans are shrunk here by
/// leaving out and flattening steps (<see cref="HistoryShrink"/>).
/// </para>
/// </remarks>
internal static class HistoryCheck
{
    private const int MaxAttempts = 600;

    private static readonly int _factor = int.TryParse(Environment.GetEnvironmentVariable("KPROBETRACE_MODELS"), out int factor) ? Math.Max(1, factor) : 1;

    private static readonly string _seed = Environment.GetEnvironmentVariable("KPROBETRACE_MODEL_SEED") ?? "models";

    /// <summary>Imports histories and checks each; for what asks no further questions of its own.</summary>
    /// <param name="count">How many histories.</param>
    /// <param name="plans">What they are made of: <see cref="HistoryGen.Plans"/>, or <see cref="One"/> for single runs.</param>
    /// <param name="check">Throws where something is wrong.</param>
    /// <param name="name">The test, so that each has histories of its own.</param>
    internal static void Each(int count, Gen<HistoryPlan[]> plans, Action<HistoryDatabase> check, [CallerMemberName] string name = "") =>
        Ask(count, plans, 1, static _ => Gen.Const(""), (database, _) => check(database), name);

    /// <summary>Imports histories and asks questions of each.</summary>
    /// <param name="count">How many histories.</param>
    /// <param name="plans">What they are made of.</param>
    /// <param name="questions">How many questions of each.</param>
    /// <param name="question">Draws a question about these runs. It must stay a question when the runs have shrunk.</param>
    /// <param name="check">Asks it, and throws where the answer is wrong.</param>
    /// <param name="name">The test, so that each has histories of its own.</param>
    internal static void Ask<T>(
        int count, Gen<HistoryPlan[]> plans, int questions, Func<IReadOnlyList<HistoryRun>, Gen<T>> question, Action<HistoryDatabase, T> check,
        [CallerMemberName] string name = "")
    {
        ulong seed = SeedOf(name);
        for (uint i = 0; i < count * _factor; i++)
        {
            PCG random = new(i, seed);
            HistoryPlan[] drawn = plans.Generate(random, null, out _);
            using HistoryDatabase database = new(drawn);
            Gen<T> gen = question(database.Runs);
            for (int q = 0; q < questions; q++)
            {
                T asked = gen.Generate(random, null, out _);
                if (Failure(() => check(database, asked)) is { } failure)
                {
                    Report(drawn, asked, failure, check, string.Create(CultureInfo.InvariantCulture, $"{name}, history {i}, question {q}, seed {_seed}"));
                }
            }
        }
    }

    /// <summary>Single runs, as lists of one.</summary>
    internal static Gen<HistoryPlan[]> One(Gen<HistoryPlan> plan) => plan.Select(static p => (HistoryPlan[])[p]);

    private static void Report<T>(HistoryPlan[] plans, T question, Exception failure, Action<HistoryDatabase, T> check, string where)
    {
        (plans, failure, int shrunk) = Shrink(plans, question, failure, check);
        string histories = string.Concat(plans.Select(static (p, i) => $"run {i + 1}: {HistorySimulation.Of(p)}"));
        throw new XunitException($"{where}, shrunk {shrunk} times\nquestion: {question}\n{histories}\n{failure.Message}\n{failure.StackTrace}");
    }

    private static (HistoryPlan[] Plans, Exception Failure, int Shrunk) Shrink<T>(
        HistoryPlan[] plans, T question, Exception failure, Action<HistoryDatabase, T> check)
    {
        int attempts = 0;
        int shrunk = 0;
        long start = Stopwatch.GetTimestamp();
        bool isSmaller = true;
        while (isSmaller && attempts < MaxAttempts && Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(60))
        {
            isSmaller = false;
            foreach (HistoryPlan[] smaller in HistoryShrink.Smaller(plans))
            {
                if (++attempts > MaxAttempts)
                {
                    break;
                }

                Exception? again = Failure(() =>
                {
                    using HistoryDatabase database = new(smaller);
                    check(database, question);
                });
                if (again?.GetType() == failure.GetType())
                {
                    (plans, failure, isSmaller) = (smaller, again, true);
                    shrunk++;
                    break;
                }
            }
        }

        return (plans, failure, shrunk);
    }

    private static Exception? Failure(Action check)
    {
        try
        {
            check();
            return null;
        }
#pragma warning disable CA1031 // whatever goes wrong is the failure to be reported
        catch (Exception e)
        {
            return e;
        }
#pragma warning restore CA1031
    }

    /// <summary>FNV-1a of the seed and the test's name.</summary>
    internal static ulong SeedOf(string name) =>
        (_seed + "/" + name).Aggregate(0xCBF29CE484222325, static (hash, c) => (hash ^ c) * 0x100000001B3);
}
