using System.Collections.Immutable;
using EfScaling.Caching.Rows;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Caching;

/// <summary>The settings of <c>UseQueryCache</c>. Immutable; equal settings share one cache.</summary>
internal sealed record QueryCacheOptions
{
    /// <summary>Gets what makes the store; equal keys mean the same store.</summary>
    public CacheStoreSource Store { get; init; } = CacheStoreSource.Memory;

    /// <summary>Gets the first part of every key in the store.</summary>
    public string Prefix { get; init; } = "efs";

    /// <summary>Gets how long a result is kept unless its query says otherwise.</summary>
    public TimeSpan TimeToLive { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Gets how long results of queries that say nothing are kept; <see langword="null"/> if they are not.</summary>
    public TimeSpan? CacheAll { get; init; }

    /// <summary>Gets how many bytes of results the process keeps; zero for none.</summary>
    public long LocalBytes { get; init; } = 64 << 20;

    /// <summary>Gets the size of the largest result that is kept, in bytes.</summary>
    public int MaxResultBytes { get; init; } = 256 << 10;

    /// <summary>Gets the rows of the largest result that is kept.</summary>
    public int MaxResultRows { get; init; } = 10_000;

    /// <summary>Gets how many contexts load results from one database at a time; <see langword="null"/> to go by the pool of connections.</summary>
    public int? MaxConcurrentLoads { get; init; }

    /// <summary>Gets whether results are kept that writes mostly make old before they are used.</summary>
    public bool KeepsDespiteWrites { get; init; }

    /// <summary>Gets what else tells apart the results of two contexts, such as the tenant; <see langword="null"/> for nothing.</summary>
    public Func<DbContext, string?>? VaryBy { get; init; }

    /// <summary>Gets what a write does when the store cannot be told of it.</summary>
    public PublishFailure OnPublishFailure { get; init; } = PublishFailure.Proceed;

    /// <summary>Gets after how long others tell the store of a write whose process died.</summary>
    public TimeSpan WriteLease { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets how long ago a result must have been right at least to be used while no server can be asked; <see langword="null"/> if none is.</summary>
    public TimeSpan? WhenDown { get; init; }

    /// <summary>Gets the codecs of the application, for types that plugins of the provider map.</summary>
    public ImmutableArray<CodecRegistration> Codecs { get; init; } = [];

    /// <summary>Returns how many contexts load results at a time: unless it is set, 4 of 10 connections, so that most are left to all else.</summary>
    /// <param name="poolSize">How many connections there are to the database.</param>
    public int LoadsOf(int poolSize) => MaxConcurrentLoads ?? Math.Max(1, poolSize * 4 / 10);

    /// <inheritdoc />
    /// <remarks>A callback that belongs to its context is another object in each: the code behind it counts here, and each context calls its own.</remarks>
    public bool Equals(QueryCacheOptions? other) =>
        ReferenceEquals(this, other)
        || (other is not null
            && Store == other.Store
            && Prefix == other.Prefix
            && TimeToLive == other.TimeToLive
            && CacheAll == other.CacheAll
            && LocalBytes == other.LocalBytes
            && MaxResultBytes == other.MaxResultBytes
            && MaxResultRows == other.MaxResultRows
            && MaxConcurrentLoads == other.MaxConcurrentLoads
            && KeepsDespiteWrites == other.KeepsDespiteWrites
            && VaryBy?.Method == other.VaryBy?.Method
            && OnPublishFailure == other.OnPublishFailure
            && WriteLease == other.WriteLease
            && WhenDown == other.WhenDown
            && Codecs.AsSpan().SequenceEqual(other.Codecs.AsSpan()));

    /// <inheritdoc />
    public override int GetHashCode() => HashCode.Combine(Store, Prefix, TimeToLive, CacheAll, LocalBytes);
}
