using EfScaling.Routing;
using EfScaling.Routing.Schema;
using EfScaling.Routing.Shards;
using EfScaling.Routing.Transactions;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Sets up transactions over several shards, and settles those that were interrupted.</summary>
public static class ShardTransactionDatabaseFacadeExtensions
{
    /// <summary>Creates on every shard the tables <c>efscaling.decision</c>, which transactions over several shards need, and <c>efscaling.saga</c>, where they are missing.</summary>
    /// <param name="database">The context's <c>Database</c>; on a context of one shard, that shard is set up alone.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <remarks>
    /// <c>MigrateAsync</c> and <c>EnsureCreatedAsync</c> on a context that spans all shards, and <c>CreateShardCatalogAsync</c>, do so too. The role of the application needs <c>USAGE</c> on the
    /// schema, and <c>SELECT, INSERT, DELETE</c> on the first table, <c>SELECT, INSERT, UPDATE</c> on the second.
    /// </remarks>
    /// <exception cref="ShardsFailedException">Some shards failed; the others are set up.</exception>
    /// <exception cref="InvalidOperationException">The context has no shards.</exception>
    public static Task EnsureShardTransactionsCreatedAsync(this DatabaseFacade database, CancellationToken cancellationToken = default) =>
        ServiceOf<ShardedSchema>(database, nameof(EnsureShardTransactionsCreatedAsync)).CreateDecisionsAsync(cancellationToken);

    /// <summary>Settles what interrupted transactions over several shards have left prepared on them, each as its decision says, and deletes decisions that nobody will ask for.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="minAge">
    /// How old a prepared part must be, from zero on; 5 s by default. One that is under way can be settled as well: its writer is then told that it was given up, unless it has decided before.
    /// </param>
    /// <param name="cancellationToken">Ends the work where it stands.</param>
    /// <returns>What was done, and what is left. A shard that does not answer is part of it, and no failure.</returns>
    /// <remarks>
    /// The library does so in the background after a failure, and <c>AddShardTransactionRecovery</c> regularly. Any number of processes may do so at once. The role must be the one that
    /// prepared, or a superuser.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The age is negative.</exception>
    /// <exception cref="InvalidOperationException">The context has no shards.</exception>
    public static Task<RecoveryResult> RecoverShardTransactionsAsync(this DatabaseFacade database, TimeSpan? minAge = null, CancellationToken cancellationToken = default)
    {
        var age = minAge ?? ShardRecovery.Patience;
        ArgumentOutOfRangeException.ThrowIfLessThan(age, TimeSpan.Zero, nameof(minAge));
        return ServiceOf<ReadRouter>(database, nameof(RecoverShardTransactionsAsync)) is { Shards: { } shards }
            ? shards.Recovery.RunAsync(age, cancellationToken)
            : throw NoShards(nameof(RecoverShardTransactionsAsync));
    }

    private static T ServiceOf<T>(DatabaseFacade database, string method)
        where T : class =>
        ((IInfrastructure<IServiceProvider>)database).Instance.GetService(typeof(T)) as T ?? throw NoShards(method);

    private static InvalidOperationException NoShards(string method) => new($"{method} was called on a context without shards. Call UseSharding(...) on its options.");
}
