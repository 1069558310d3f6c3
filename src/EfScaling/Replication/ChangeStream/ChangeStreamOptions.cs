namespace EfScaling.Replication.ChangeStream;

/// <summary>How the committed changes of one database are read. Immutable.</summary>
internal sealed record ChangeStreamOptions
{
    // Identifiers have 63 bytes, and a new slot is made under a longer name first.
    private const int MaxName = 59;

    private readonly string _slot = "efscaling_cache";
    private readonly string _publication = "efscaling_cache";
    private readonly long _retentionLimit = 1L << 30;

    /// <summary>Gets the replication slot, which names the stream in logs and metrics, too. All instances of an application share one, and one of them reads it.</summary>
    /// <exception cref="ArgumentException">It is no plain name of lower-case letters, digits and <c>_</c>, or longer than 59.</exception>
    public string Slot
    {
        get => _slot;
        init => _slot = Checked(value, nameof(Slot));
    }

    /// <summary>Gets the publication, which must publish every change of all tables.</summary>
    /// <exception cref="ArgumentException">It is no plain name of lower-case letters, digits and <c>_</c>, or longer than 59.</exception>
    public string Publication
    {
        get => _publication;
        init => _publication = Checked(value, nameof(Publication));
    }

    /// <summary>Gets how much log the server may keep for the slot before that is logged, in bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 1.</exception>
    public long RetentionLimit
    {
        get => _retentionLimit;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(RetentionLimit));
            _retentionLimit = value;
        }
    }

    /// <summary>Gets the time between two measurements of the lag.</summary>
    public TimeSpan CheckInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets how often the server is told what was handed on, so that it can remove its log.</summary>
    public TimeSpan ConfirmInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Gets how often an instance that waits looks whether it can take over.</summary>
    public TimeSpan TakeOverInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Gets how long the server may be silent before the connection counts as broken. It is asked for a sign of life after half of it.</summary>
    public TimeSpan SilenceTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Gets the pause after the first failure; it doubles with each further one.</summary>
    public TimeSpan FirstRetry { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Gets the longest pause after a failure.</summary>
    public TimeSpan LongestRetry { get; init; } = TimeSpan.FromSeconds(15);

    // The names become part of replication commands, which take no parameters.
    private static string Checked(string value, string what)
    {
        ArgumentException.ThrowIfNullOrEmpty(value);
        return value.Length <= MaxName && value.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_')
            ? value
            : throw new ArgumentException($"'{value}' cannot be the {what}: use at most {MaxName} lower-case letters, digits and '_'.", nameof(value));
    }
}
