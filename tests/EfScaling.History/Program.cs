using System.Globalization;
using EfScaling.History;
using EfScaling.Testing.History;

if (args is [SecondProcess.Verb, .. var rest])
{
    await SecondProcess.WorkAsync(CacheSettings.Of(rest));
    return 0;
}

var options = new HistoryRunOptions();
IReadOnlyList<StoreFault>? storeFaults = null;
TimeSpan? secondWritePause = null;
var leastReads = 0;
var expectsViolation = false;
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--seconds":
            options = options with { Duration = TimeSpan.FromSeconds(Number(++i)) };
            break;
        case "--seed":
            options = options with { Seed = Number(++i) };
            break;
        case "--clients":
            options = options with { Clients = Number(++i) };
            break;
        case "--faults":
            options = options with { Faults = Names<FaultKind>(++i) };
            break;
        case "cache":
            options = options with { Clients = 8, Faults = CacheScenario.DatabaseFaults, WritePause = CacheScenario.WritePause };
            storeFaults = CacheScenario.SingleFaults;
            break;
        case "--sentinel":
            storeFaults = CacheScenario.SentinelFaults;
            break;
        case "--store-faults":
            storeFaults = Names<StoreFault>(++i);
            break;
        case "--write-pause":
            options = options with { WritePause = TimeSpan.FromMilliseconds(Number(++i)) };
            break;
        case "--second-write-pause":
            secondWritePause = TimeSpan.FromMilliseconds(Number(++i));
            break;
        case "--promote":
            options = options with { Promotes = true };
            break;
        case "--least-reads":
            leastReads = Number(++i);
            break;
        case "--expect-violation":
            expectsViolation = true;
            options = options with { EndsWithViolation = true };
            break;
        default:
            return Usage();
    }
}

var report = storeFaults is null ? await Scenario.RunAsync(options) : await CacheScenario.RunAsync(options, storeFaults, secondWritePause);
Console.WriteLine(report);
if (report.Reads < leastReads)
{
    Console.WriteLine($"Fewer than {leastReads:N0} reads were checked.");
    return 1;
}

return report.Breaches.Any() == expectsViolation ? 0 : 1;

int Number(int index) => int.Parse(Text(index), CultureInfo.InvariantCulture);

string Text(int index) => index < args.Length ? args[index] : throw new ArgumentException($"{args[^1]} needs a value.");

T[] Names<T>(int index)
    where T : struct, Enum => Text(index) == "none" ? [] : [.. Text(index).Split(',', StringSplitOptions.RemoveEmptyEntries).Select(f => Enum.Parse<T>(f, ignoreCase: true))];

static int Usage()
{
    Console.WriteLine(
        """
        Lets sessions write and read while servers fail, and checks everything they saw. Exit status 1 on a violation or too few reads.
          cache                 with a query cache in Redis that fails, in two processes; comes first
          --sentinel            with cache: Redis is failed over by Sentinel, in place of the other faults of the store
          --store-faults NAME,… with cache: which faults of the store may happen (all), or none
          --seconds N           how long (15)
          --seed N              what the choices follow from (random)
          --write-pause MS      the least time between two writes of a process (0; 100 with cache)
          --second-write-pause MS   with cache: the same for the second process (2000)
          --clients N           clients at the same time (16)
          --faults NAME,NAME    which faults may happen (all), or none
          --promote             a standby becomes the primary after two thirds of the run
          --least-reads N       fewer checked reads are a failure (0)
          --expect-violation    ends with the first violation; exit status 1 if there is none
        """);
    return 2;
}
