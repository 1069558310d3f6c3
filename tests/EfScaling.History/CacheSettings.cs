using System.Globalization;

namespace EfScaling.History;

/// <summary>What the second process of a history with a query cache is told: where the servers are, and which part of the run is its own. Immutable.</summary>
/// <param name="Primary">Connection string of the primary.</param>
/// <param name="Standby">Connection string of the standby.</param>
/// <param name="Redis">Configuration of the store.</param>
/// <param name="Origin">The moment from which the run's clock counts.</param>
/// <param name="Seed">The seed of the run.</param>
/// <param name="Clients">The number of all clients.</param>
/// <param name="FirstClient">The first client that the second process runs; the rest of the clients follow.</param>
/// <param name="WritePause">The least time between two writes of the process.</param>
public sealed record CacheSettings(string Primary, string Standby, string Redis, long Origin, int Seed, int Clients, int FirstClient, TimeSpan WritePause)
{
    /// <summary>Writes the settings as arguments of a command line.</summary>
    public string[] ToArguments() =>
    [
        Primary, Standby, Redis, Origin.ToString(CultureInfo.InvariantCulture), Seed.ToString(CultureInfo.InvariantCulture),
        Clients.ToString(CultureInfo.InvariantCulture), FirstClient.ToString(CultureInfo.InvariantCulture), WritePause.Ticks.ToString(CultureInfo.InvariantCulture),
    ];

    /// <summary>Reads what <see cref="ToArguments"/> wrote.</summary>
    public static CacheSettings Of(IReadOnlyList<string> arguments) => new(
        arguments[0], arguments[1], arguments[2], long.Parse(arguments[3], CultureInfo.InvariantCulture), int.Parse(arguments[4], CultureInfo.InvariantCulture),
        int.Parse(arguments[5], CultureInfo.InvariantCulture), int.Parse(arguments[6], CultureInfo.InvariantCulture), new TimeSpan(long.Parse(arguments[7], CultureInfo.InvariantCulture)));
}
