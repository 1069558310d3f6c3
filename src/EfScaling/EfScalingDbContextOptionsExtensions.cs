using EfScaling.Infrastructure;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Lets a context scale past one database.</summary>
public static class EfScalingDbContextOptionsExtensions
{
    /// <summary>Sends LINQ queries to replicas that are proven fresh enough, and everything else to the primary.</summary>
    /// <param name="options">The options, after <c>UseNpgsql</c>.</param>
    /// <param name="configure">
    /// Names the replicas and sets limits. Without replicas, the hosts of the connection string (<c>Host=a,b,c</c>) are the nodes; the servers say
    /// which of them is the primary.
    /// </param>
    /// <returns>The same options.</returns>
    /// <remarks>
    /// Reads of a context see what the context itself has written, never go back in time from one replica to another, and are at most <c>MaxStaleness</c>
    /// old. When no replica can prove that, they run on the primary. No connection is opened here; wrong settings are reported by the context's first command.
    /// </remarks>
    public static DbContextOptionsBuilder UseReadReplicas(this DbContextOptionsBuilder options, Action<ReplicaOptionsBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var builder = new ReplicaOptionsBuilder();
        configure?.Invoke(builder);
        ((IDbContextOptionsBuilderInfrastructure)options).AddOrUpdateExtension(new EfScalingOptionsExtension { Replicas = builder.Options });
        return options;
    }

    /// <inheritdoc cref="UseReadReplicas(DbContextOptionsBuilder, Action{ReplicaOptionsBuilder}?)" />
    /// <typeparam name="TContext">The context's type.</typeparam>
    public static DbContextOptionsBuilder<TContext> UseReadReplicas<TContext>(
        this DbContextOptionsBuilder<TContext> options, Action<ReplicaOptionsBuilder>? configure = null)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseReadReplicas((DbContextOptionsBuilder)options, configure);
}
