namespace EfScaling.Caching;

/// <summary>What a store held at one moment.</summary>
public readonly struct CacheReading
{
    private CacheReading(string? failure, ReadOnlyMemory<byte>? entry, IReadOnlyList<long> versions, long incarnation) =>
        (Failure, Entry, Versions, Incarnation) = (failure, entry, versions, incarnation);

    /// <summary>Gets why the store did not answer; <see langword="null"/> if it did.</summary>
    public string? Failure { get; }

    /// <summary>Gets the entry; <see langword="null"/> if there is none or none was asked for.</summary>
    public ReadOnlyMemory<byte>? Entry { get; }

    /// <summary>Gets the versions in the order in which they were asked for.</summary>
    public IReadOnlyList<long> Versions { get; }

    /// <summary>Gets what tells the life of the store apart from all others: a store that came back with older data has another one.</summary>
    public long Incarnation { get; }

    /// <summary>Makes the reading of a store that answered.</summary>
    public static CacheReading Of(ReadOnlyMemory<byte>? entry, IReadOnlyList<long> versions, long incarnation) => new(null, entry, versions, incarnation);

    /// <summary>Makes the reading of a store that did not.</summary>
    /// <param name="failure">Why, without secrets.</param>
    public static CacheReading Failed(string failure) => new(failure, null, [], 0);
}
