namespace EfScaling.Testing.History;

/// <summary>What is known of the end of an operation.</summary>
public enum HistoryOutcome
{
    /// <summary>It was done.</summary>
    Acknowledged,

    /// <summary>It may have been done or not: the connection was lost, or the time was up.</summary>
    Unknown,

    /// <summary>It was certainly not done: the write was rolled back, or refused by its concurrency token.</summary>
    Refused,
}
