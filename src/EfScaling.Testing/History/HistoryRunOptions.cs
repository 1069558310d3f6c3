namespace EfScaling.Testing.History;

/// <summary>What a <see cref="HistoryRun"/> does. Immutable.</summary>
public sealed record HistoryRunOptions
{
    /// <summary>Gets what the choices of clients and faults follow from; a new one for each run by default.</summary>
    public int Seed { get; init; } = Random.Shared.Next();

    /// <summary>Gets how long clients work while faults happen; 15 seconds by default.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Gets the number of clients that work at the same time; 16 by default.</summary>
    public int Clients { get; init; } = 16;

    /// <summary>Gets the faults that may happen; all by default, and none for an empty list.</summary>
    public IReadOnlyList<FaultKind> Faults { get; init; } = Enum.GetValues<FaultKind>();

    /// <summary>
    /// Gets whether a standby is made the primary after two thirds of the run, when the faults end; the last third begins when it is. Needs applications that find the
    /// new primary, by a connection string that lists every host.
    /// </summary>
    public bool Promotes { get; init; }

    /// <summary>Gets the numbers of the clients, from 1 to <see cref="Clients"/>, that this process runs; all by default, else the others run in other processes.</summary>
    public IReadOnlyList<int>? OwnClients { get; init; }

    /// <summary>Gets the least time between the beginnings of two writes of this process; zero by default.</summary>
    public TimeSpan WritePause { get; init; }

    /// <summary>Gets how late a query cache may learn of writes of other processes.</summary>
    public CacheLimits CacheLimits { get; init; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15));

    /// <summary>Gets whether the run ends soon after the first violation.</summary>
    public bool EndsWithViolation { get; init; }
}
