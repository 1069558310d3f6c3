using EfScaling.Consistency;
using EfScaling.Routing;

namespace EfScaling.Testing.History;

/// <summary>One register written or read by a client, or something that happened to the servers. Immutable.</summary>
/// <remarks>A register holds a version that only grows and has one writer, so that it can be told which of two values is the older one.</remarks>
public sealed record HistoryEvent
{
    /// <summary>Gets what happened.</summary>
    public required HistoryOperation Operation { get; init; }

    /// <summary>Gets how: the kind of query or of write, or the fault.</summary>
    public string How { get; init; } = string.Empty;

    /// <summary>Gets the number of the command; a command that reads or writes several registers leaves one event for each.</summary>
    public long Command { get; init; }

    /// <summary>Gets the client.</summary>
    public int Client { get; init; }

    /// <summary>Gets the session, which goes on in other contexts and processes as long as its token is handed on.</summary>
    public int Session { get; init; }

    /// <summary>Gets the register.</summary>
    public int Register { get; init; }

    /// <summary>Gets the version that was written or read; zero is what every register holds at first.</summary>
    public long Value { get; init; }

    /// <summary>Gets how a write ended.</summary>
    public HistoryOutcome Outcome { get; init; }

    /// <summary>Gets what a read asked for; <see langword="null"/> for writes.</summary>
    public ReadContract? Contract { get; init; }

    /// <summary>Gets how old the data of a read was allowed to be; <see langword="null"/> for no limit.</summary>
    public TimeSpan? Limit { get; init; }

    /// <summary>Gets where a read ran, why, and how old its data was said to be at most; <see langword="null"/> for writes.</summary>
    public RoutingDecision? Routing { get; init; }

    /// <summary>Gets the number of the query cache of the context: <see cref="HistoryApplication.Cache"/>.</summary>
    public int Cache { get; init; }

    /// <summary>
    /// Gets whether a write was acknowledged before the store of the query cache was told of it, or whether a fault may keep the store from being told.
    /// </summary>
    public bool IsUnpublished { get; init; }

    /// <summary>Gets when the operation began, on the clock of <see cref="HistoryRecorder"/>.</summary>
    public required TimeSpan Started { get; init; }

    /// <summary>Gets when the operation had ended, on the same clock.</summary>
    public required TimeSpan Ended { get; init; }

    /// <summary>Writes the event in one line.</summary>
    public override string ToString()
    {
        var time = FormattableString.Invariant($"{Started.TotalSeconds,10:0.000000} … {Ended.TotalSeconds,10:0.000000} s  ");
        return time + Operation switch
        {
            HistoryOperation.Write => $"client {Client}, session {Session}: wrote {Register} := {Value} by {How} ({Outcome}{(IsUnpublished ? ", not published" : "")}){InCache}",
            HistoryOperation.Read => $"client {Client}, session {Session}: read  {Register} == {Value} by {How} ({Contract}){InCache} on {Routing}",
            _ => $"{Operation}: {How}",
        };
    }

    private string InCache => Cache == 0 ? string.Empty : FormattableString.Invariant($" in cache {Cache}");
}
