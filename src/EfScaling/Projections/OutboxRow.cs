namespace EfScaling.Projections;

/// <summary>A row of the outbox, for the model and its migrations; commands use SQL.</summary>
internal sealed class OutboxRow
{
    /// <summary>Gets or sets the number of the row. Grows with every row written, though not in the order of commits.</summary>
    public long Id { get; set; }

    /// <summary>Gets or sets the name of the projection.</summary>
    public required string Projection { get; set; }

    /// <summary>Gets or sets the source whose value the key is; empty for the key of a view.</summary>
    public required string Source { get; set; }

    /// <summary>Gets or sets the key.</summary>
    public required string Key { get; set; }

    /// <summary>Gets or sets the number of the row from which this one came, for sessions that wait for it.</summary>
    public long? Position { get; set; }

    /// <summary>Gets or sets whether nothing was written and the view is only made again.</summary>
    public bool IsRebuild { get; set; }

    /// <summary>Gets or sets when the row was written.</summary>
    public DateTime EnqueuedAt { get; set; }

    /// <summary>Gets or sets how often applying it failed.</summary>
    public int Attempts { get; set; }

    /// <summary>Gets or sets when the next attempt may begin.</summary>
    public DateTime? DueAt { get; set; }

    /// <summary>Gets or sets when it was given up.</summary>
    public DateTime? ParkedAt { get; set; }

    /// <summary>Gets or sets what the last attempt failed of.</summary>
    public string? Reason { get; set; }
}
