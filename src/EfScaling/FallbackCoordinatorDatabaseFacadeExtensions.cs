using EfScaling.Routing;
using EfScaling.Routing.Fallback;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Makes the fallback coordinator. Called by deployments and operators, on a context whose options call <c>UseFallbackCoordinator</c>.</summary>
public static class FallbackCoordinatorDatabaseFacadeExtensions
{
    /// <summary>Makes the foreign tables of the fallback coordinator over all shards, in the place of those that it made before.</summary>
    /// <param name="database">The <c>Database</c> of a context that spans all shards.</param>
    /// <param name="cancellationToken">Ends the work; nothing is changed then.</param>
    /// <remarks>
    /// <para>
    /// In one transaction: the extension <c>postgres_fdw</c>, a server and a user mapping for each shard, the types of the model, foreign tables in schemas that begin with <c>efscaling:</c>, and views
    /// over them under the names of the model's tables. Call it when the shards are created, and again after each change of the model or of a connection to a shard; queries go on meanwhile.
    /// </para>
    /// <para>The user mapping holds the password of each shard, as its connection string has it; it is in no message and in no log of the application. A coordinator that logs all statements
    /// with their parameters, by <c>log_statement</c> or <c>log_min_duration_statement</c>, has its bytes in its own log. Only what the call has made before is dropped.</para>
    /// </remarks>
    /// <exception cref="InvalidOperationException">
    /// The context has no fallback coordinator or works on one shard alone; a server does not answer or refuses a step; the coordinator would order or compare texts in another way than a shard; or its
    /// database has tables of the model, or objects that depend on what was made before, that are not its own.
    /// </exception>
    public static Task CreateFallbackCoordinatorAsync(this DatabaseFacade database, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(database);
        var services = ((IInfrastructure<IServiceProvider>)database).Instance;
        return services.GetService(typeof(ReadRouter)) is ReadRouter { Shards.Fallback: { } coordinator }
            ? new CoordinatorSchema(((ICurrentDbContext)services.GetService(typeof(ICurrentDbContext))!).Context, coordinator).CreateAsync(cancellationToken)
            : throw new InvalidOperationException(
                "CreateFallbackCoordinatorAsync was called on a context that has no fallback coordinator, or works on one shard alone. Call UseSharding(s => s.UseFallbackCoordinator(...)) on its options, and create it by CreateDbContext().");
    }
}
