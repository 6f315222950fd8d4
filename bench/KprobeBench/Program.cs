using System.Diagnostics;
using System.Globalization;
using KprobeTrace.Bench;
using KprobeTrace.Kprobes;
using KprobeTrace.Recording;
using KprobeTrace.Session;
using KprobeTrace.Symbols;

const int rounds = 3;
const long instructions = 60_000_000;
string loop = args.Length > 0 ? args[0] : "bench/loops/fib.elf";
HitCost cost = new(loop, instructions);
bool holds = true;
Bar("an enabled probe that records nothing (filter false)", cost.Measure("n == 0xffffffff", EventKinds.Pre, rounds), 150);
Bar("recording pre with all registers", cost.Measure(null, EventKinds.Pre, rounds), 400);
Bar("recording pre and post with all registers", cost.Measure(null, EventKinds.Pre | EventKinds.Post, rounds), 800);
if (args.Length > 1)
{
    Registration(args[1]);
}

if (args.Length > 2)
{
    ArmedProbes(args[1], args[2]);
}

return holds ? 0 : 1;

void Bar(string what, double nanoseconds, double bar)
{
    bool kept = nanoseconds <= bar;
    holds &= kept;
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{nanoseconds,8:f0} ns a hit   bar: {bar:f0}   {(kept ? "holds" : "MISSED")}   {what}"));
}

void Registration(string kernel)
{
    const int wanted = 30_000;
    using GuestSession session = GuestSession.Open(new RecordingOptions { Image = kernel, AllowBlacklisted = true }, _ => { });
    List<ulong> addresses = [];
    ulong last = 0;
    foreach (Symbol symbol in session.Symbols.All())
    {
        if (symbol.IsText && symbol.Address != last && addresses.Count < wanted)
        {
            addresses.Add(last = symbol.Address);
        }
    }

    Stopwatch watch = Stopwatch.StartNew();
    int registered = addresses.Count(a => session.Kprobes.RegisterKprobe(new Kprobe { Addr = a }).IsSuccess);
    double seconds = watch.Elapsed.TotalSeconds;
    bool kept = seconds * wanted / Math.Max(1, registered) <= 2;
    holds &= kept;
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{seconds,8:f2} s for {registered} probes registered one by one   bar: 2 s for {wanted}   {(kept ? "holds" : "MISSED")}"));
}

void ArmedProbes(string kernel, string initramfs)
{
    ArmedCost armed = new(kernel, initramfs);
    (List<double> without, List<double> with) = armed.Measure(1000, 10);
    double ratio = Median(with) / Median(without);
    bool kept = ratio is > 0.99 and < 1.01;
    holds &= kept;
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{ratio,8:f4} CPU time of a boot with 1,000 probes that are never hit, in boots without   bar: within 1 %   {(kept ? "holds" : "MISSED")}"));
    Console.WriteLine($"         {Spread(without)} without, {Spread(with)} with");
}

double Median(List<double> rising) => (rising[(rising.Count - 1) / 2] + rising[rising.Count / 2]) / 2;

string Spread(List<double> rising) =>
    string.Create(CultureInfo.InvariantCulture, $"{Median(rising):f2} s ({rising[0]:f2} to {rising[^1]:f2})");
