namespace EfScaling.Projections;

/// <summary>The settings of one projection. Immutable.</summary>
internal sealed record ProjectionOptions
{
    /// <summary>Gets the name under which the projection's rows stand in the outbox.</summary>
    public required string Name { get; init; }

    /// <summary>Gets how many rows of the outbox one transaction takes at most.</summary>
    public int BatchSize { get; init; } = 100;

    /// <summary>Gets how long an idle dispatcher waits before it looks for writes of other processes.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Gets after how many attempts a key that fails is parked.</summary>
    public int MaxAttempts { get; init; } = 5;

    /// <summary>Gets the pause before the second attempt; it doubles with each further one.</summary>
    public TimeSpan FirstRetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Gets the longest pause between two attempts.</summary>
    public TimeSpan LongestRetryDelay { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Returns the pause of a key after a failure that it is not to blame for, which no attempt is counted for.</summary>
    /// <param name="age">How long the key has waited already. It waits as long again, so that pauses double.</param>
    public TimeSpan OutageDelay(TimeSpan age)
    {
        var delay = age > FirstRetryDelay ? age : FirstRetryDelay;
        return delay < LongestRetryDelay ? delay : LongestRetryDelay;
    }

    /// <summary>Returns the pause after a number of failed attempts.</summary>
    /// <param name="attempts">One or more.</param>
    public TimeSpan RetryDelay(int attempts)
    {
        // Beyond thirty doublings every first delay is past every sensible limit, and the product past the range of a TimeSpan.
        var delay = FirstRetryDelay.TotalSeconds * Math.Pow(2, Math.Clamp(attempts - 1, 0, 30));
        return delay < LongestRetryDelay.TotalSeconds ? TimeSpan.FromSeconds(delay) : LongestRetryDelay;
    }
}
