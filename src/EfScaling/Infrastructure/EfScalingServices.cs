// The provider is recognised by its options extension, which has no public name (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using EfScaling.Caching;
using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Routing.Fallback;
using EfScaling.Routing.Schema;
using EfScaling.Routing.Shards;
using EfScaling.Routing.Transactions;
using EfScaling.Sharding;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Conventions.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;
using Microsoft.EntityFrameworkCore.Update.Internal;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace EfScaling.Infrastructure;

/// <summary>Registers what EfScaling adds to EF's internal services, and wraps the services it builds on.</summary>
internal static class EfScalingServices
{
    /// <summary>Adds the services. The provider's must be there already.</summary>
    /// <param name="services">EF's internal services.</param>
    /// <param name="trackedReads">The rule for queries with tracking, by which internal service providers differ.</param>
    /// <param name="isCached">Whether there is a query cache, by which they differ as well.</param>
    /// <param name="isSharded">Whether there are shards, by which they differ as well.</param>
    /// <param name="isGoverned">Whether a catalog has the maps of the shards, by which they differ as well.</param>
    /// <param name="method">What the application called.</param>
    /// <exception cref="InvalidOperationException">The provider's services come later: <c>UseReadReplicas</c> precedes <c>UseNpgsql</c>.</exception>
    public static void Add(IServiceCollection services, TrackedReads trackedReads, bool isCached, bool isSharded, bool isGoverned, string method)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<NodeDataSources>();
        services.TryAddSingleton<ClusterFactory>();
        services.TryAddSingleton<ClusterRegistry>();
        services.TryAddSingleton<QueryCacheRegistry>();
        services.TryAddSingleton<ShardedDatabaseRegistry>();
        services.TryAddScoped(CreateRouter);

        new EntityFrameworkServicesBuilder(services).TryAdd<IResettableService, ReadRouter>(p => p.GetRequiredService<ReadRouter>());

        // These keep no state; EF's own way of adding them would make new ones for each context.
        services.AddSingleton<IInterceptor, PrimaryConnectionInterceptor>();
        services.AddSingleton<IInterceptor, ReadOnlyContextInterceptor>();
        services.AddSingleton<IInterceptor, QueryOperatorInterceptor>();
        services.AddSingleton<IInterceptor, SnapshotTransactionInterceptor>();
        services.AddSingleton<IConventionSetPlugin>(new EfScalingConventionPlugin(trackedReads, isSharded));

        services.Replace(ServiceDescriptor.Singleton<IRelationalCommandBuilderFactory, RoutedCommandBuilderFactory>());
        services.Replace(ServiceDescriptor.Singleton<IRelationalTransactionFactory, PositionedTransactionFactory>());
        services.Replace(ServiceDescriptor.Singleton<IModificationCommandFactory, XminModificationCommandFactory>());
        Wrap<IQuerySqlGeneratorFactory>(services, (inner, p) => new PlannedSqlGeneratorFactory(inner, p.GetRequiredService<QuerySqlGeneratorDependencies>(), isCached, isSharded, isGoverned), method);
        Wrap<IQueryTranslationPostprocessorFactory>(services, (inner, p) => new PlanningPostprocessorFactory(inner, p.GetRequiredService<QueryTranslationPostprocessorDependencies>(), trackedReads), method);
        Wrap<IMigrationsModelDiffer>(services, (inner, _) => new XminMigrationsModelDiffer(inner), method);
        if (isCached)
        {
            services.TryAddScoped<IBatchExecutor, BatchExecutor>();
            Wrap<IBatchExecutor>(services, (inner, _) => new CachingBatchExecutor(inner), method);
        }

        if (isSharded)
        {
            services.TryAddSingleton<GeneratorReservations>();
            services.TryAddSingleton<ShardRecoveries>();
            services.TryAddScoped(CreateIds);
            services.TryAddScoped<IBatchExecutor, BatchExecutor>();
            Wrap<IBatchExecutor>(services, (inner, p) => new ShardedBatchExecutor(inner, p.GetRequiredService<ICurrentDbContext>(), p.GetRequiredService<ReadRouter>(), p.GetRequiredService<ICommandBatchPreparer>), method);
            AddSchema(services, method);
        }
    }

    // A context that spans all shards works on the schema of each of them through contexts that are bound to one, where EF's own services do the work.
    private static void AddSchema(IServiceCollection services, string method)
    {
        services.TryAddScoped(p => ShardBinding.WorkOf(p.GetRequiredService<ICurrentDbContext>().Context));
        services.TryAddScoped<ShardedSchema>();
        Wrap<IMigrator>(services, (inner, p) => IsBound(p) ? inner : new ShardedMigrator(inner, p.GetRequiredService<ShardedSchema>()), method);
        Wrap<IHistoryRepository>(services, (inner, p) => IsBound(p) ? inner : new ShardedHistoryRepository(inner, p.GetRequiredService<ShardedSchema>()), method);
        Wrap<IRelationalDatabaseCreator>(services, (inner, p) => IsBound(p) ? inner : new ShardedDatabaseCreator(inner, p.GetRequiredService<ShardedSchema>()), method);
        Wrap<IMigrationsSqlGenerator>(services, (inner, p) => IsBound(p) ? new ShardedMigrationsSqlGenerator(inner, () => p.GetRequiredService<ReadRouter>().Shards!) : inner, method);
    }

    private static bool IsBound(IServiceProvider services) =>
        services.GetRequiredService<IDbContextOptions>().FindExtension<EfScalingOptionsExtension>()!.BoundShard is not null;

    private static ReadRouter CreateRouter(IServiceProvider services)
    {
        var settings = services.GetRequiredService<IDbContextOptions>().FindExtension<EfScalingOptionsExtension>()!;
        var home = Create(settings.Replicas, shard: null, connection: null, home: null);
        if (settings.Sharding is { } sharding)
        {
            var database = DatabaseOf(services, sharding);
            home.Shards = new ContextShards(database, settings.BoundShard, home, Connect, s => SourceOf(services, s), CreateLogger, services.GetRequiredService<ShardRecoveries>(), sharding.FallbackCoordinator is null ? null : ConnectToCoordinator);
        }

        return home;

        ReadRouter Create(ReplicaOptions? replicas, ShardDefinition? shard, IRelationalConnection? connection, ReadRouter? home) => new(
            services.GetRequiredService<IDbContextOptions>(),
            replicas ?? ReplicaOptions.PrimaryAlone,
            services.GetRequiredService<ClusterRegistry>(),
            services.GetRequiredService<RelationalConnectionDependencies>(),
            settings.Cache,
            services.GetRequiredService<QueryCacheRegistry>(),
            services,
            shard,
            connection,
            home);

        ILogger CreateLogger() => services.GetRequiredService<ILoggerFactory>().CreateLogger("EfScaling.Sharding");

        CoordinatorConnection ConnectToCoordinator()
        {
            var provider = CoordinatorConnection.ProviderFrom(services.GetRequiredService<IDbContextOptions>().FindExtension<NpgsqlOptionsExtension>()!, settings.Sharding!.FallbackCoordinator!);
            return new CoordinatorConnection(
                services.GetRequiredService<RelationalConnectionDependencies>() with { ContextOptions = new NodeOptions(provider.WithConnectionString(null)) },
                services.GetRequiredService<NodeDataSources>().Get(provider, new NpgsqlConnectionStringBuilder(provider.ConnectionString)));
        }

        ReadRouter Connect(ShardDefinition shard)
        {
            var options = services.GetRequiredService<IDbContextOptions>();
            var provider = shard.ProviderFrom(options.FindExtension<NpgsqlOptionsExtension>()!);
            var source = SourceOf(services, shard);
            var connection = new ShardConnection(
                services.GetRequiredService<RelationalConnectionDependencies>() with { ContextOptions = new NodeOptions(provider.WithConnectionString(null)) }, source);
            return connection.Router = Create(shard.Replicas, shard, connection, home);
        }
    }

    private static ShardedIds CreateIds(IServiceProvider services)
    {
        var database = DatabaseOf(services, services.GetRequiredService<IDbContextOptions>().FindExtension<EfScalingOptionsExtension>()!.Sharding!);
        return new ShardedIds(database, () => services.GetRequiredService<GeneratorReservations>().Get(
            database,
            () => SourceOf(services, database.Options.Default) is NpgsqlMultiHostDataSource hosts ? hosts.WithTargetSession(TargetSessionAttributes.Primary) : SourceOf(services, database.Options.Default)));
    }

    // Not the context's Model: after a fault of the model, a context that returns to its pool would only say that it is disposed.
    private static ShardedDatabase DatabaseOf(IServiceProvider services, ShardingOptions sharding) =>
        services.GetRequiredService<ShardedDatabaseRegistry>().Get(sharding, services.GetRequiredService<IModel>(), services.GetRequiredService<ILoggerFactory>());

    private static NpgsqlDataSource SourceOf(IServiceProvider services, ShardDefinition shard) =>
        shard.DataSource
        ?? services.GetRequiredService<NodeDataSources>().Get(
            shard.ProviderFrom(services.GetRequiredService<IDbContextOptions>().FindExtension<NpgsqlOptionsExtension>()!), new NpgsqlConnectionStringBuilder(shard.ConnectionString));

    /// <summary>Refuses options without the Npgsql provider.</summary>
    /// <param name="options">The options.</param>
    /// <param name="method">What the application called.</param>
    /// <exception cref="InvalidOperationException">The provider is missing or another one.</exception>
    public static void RequireNpgsql(IDbContextOptions options, string method)
    {
        if (options.FindExtension<NpgsqlOptionsExtension>() is not null)
        {
            return;
        }

        var provider = options.Extensions.FirstOrDefault(e => e.Info.IsDatabaseProvider);
        throw new InvalidOperationException(
            provider is null
                ? $"{method} was called on a context without a database provider. Call UseNpgsql(...) before {method}(...)."
                : $"{method} was called on a context whose database provider is '{provider.GetType().Assembly.GetName().Name}'. "
                    + $"It works with PostgreSQL only: call UseNpgsql(...) before {method}(...).");
    }

    // Wraps the registration that the provider or EF made, without naming its type. EF's own services come after ours and stand in by TryAdd.
    private static void Wrap<TService>(IServiceCollection services, Func<TService, IServiceProvider, TService> wrap, string method)
        where TService : class
    {
        var registered = services.LastOrDefault(d => d.ServiceType == typeof(TService))
            ?? throw new InvalidOperationException($"{method} was called before UseNpgsql. Call UseNpgsql(...) first and {method}(...) after it.");
        services.Remove(registered);
        var create = registered.ImplementationFactory;
        if (registered.ImplementationType is { } type)
        {
            // Registered under its own name, so that the container makes it with the same care as before.
            services.TryAdd(ServiceDescriptor.Describe(type, type, registered.Lifetime));
            create = p => p.GetRequiredService(type);
        }

        services.Add(ServiceDescriptor.Describe(typeof(TService), p => wrap((TService)(registered.ImplementationInstance ?? create!(p)), p), registered.Lifetime));
    }
}
