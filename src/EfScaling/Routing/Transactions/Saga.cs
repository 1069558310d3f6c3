using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace EfScaling.Routing.Transactions;

/// <summary>Begins sagas: work in steps, each a transaction of its own, that is undone step by step if it cannot be completed.</summary>
/// <remarks>
/// For work over several shards that must not hold locks from its beginning to its end, as with calls to other services between the steps; what can be one transaction is better one. Between the
/// steps others see what is done so far. Needs the table that <c>Database.EnsureShardTransactionsCreatedAsync()</c> makes.
/// </remarks>
public static class Saga
{
    /// <summary>Begins a saga, or goes on with one that was begun before.</summary>
    /// <typeparam name="TContext">The context's type.</typeparam>
    /// <param name="context">A context that spans all shards and that nothing else uses until the saga has ended. What it tracks is given up before each step.</param>
    /// <param name="name">What kind of saga it is: the one by which <see cref="FindUnfinishedAsync"/> finds it.</param>
    /// <param name="id">The saga. The same id, with the same steps, goes on where the saga stands.</param>
    /// <param name="data">What another process needs to name the same steps; kept with the saga, so that it can go on after a crash.</param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    /// <exception cref="InvalidOperationException">The context has no shards, or is bound to one of them.</exception>
    public static Saga<TContext> Begin<TContext>(TContext context, string name, Guid id, string? data = null)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Require(context);
        return new Saga<TContext>(context, name, id, data);
    }

    /// <summary>Finds sagas that were begun and have not ended, so that they can be gone on with by <see cref="Begin{TContext}"/> and <c>RunAsync</c>.</summary>
    /// <param name="context">A context that spans all shards.</param>
    /// <param name="name">The kind of saga.</param>
    /// <param name="age">For how long they have not moved on; zero for all. Those that run at the moment are among them, and may be gone on with as well: each step is done once.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">The context has no shards, or is bound to one of them.</exception>
    public static async Task<IReadOnlyList<UnfinishedSaga>> FindUnfinishedAsync(DbContext context, string name, TimeSpan age, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        Require(context);
        await context.Database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await SagaTable.ListAsync((NpgsqlConnection)context.Database.GetDbConnection(), name, age, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await context.Database.CloseConnectionAsync().ConfigureAwait(false);
        }
    }

    private static void Require(DbContext context)
    {
        if (context.GetInfrastructure().GetService(typeof(ReadRouter)) is not ReadRouter { Shards.IsBound: false })
        {
            throw new InvalidOperationException("A saga was begun on a context that does not span shards. Create the context by CreateDbContext() of ShardedDbContextFactory, without a key.");
        }
    }
}
