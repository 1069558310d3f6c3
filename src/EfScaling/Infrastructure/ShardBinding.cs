// The provider's options have no public name (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace EfScaling.Infrastructure;

/// <summary>Makes options of a sharded context lead to one shard.</summary>
internal static class ShardBinding
{
    private static readonly IServiceProvider _noServices = new ServiceCollection().BuildServiceProvider();

    // A context without a constructor for options can only be told while it configures itself, which it does on the thread that creates it.
    [ThreadStatic]
    private static string? _creating;

    /// <summary>Gets the shard that a context which configures itself is being created for; <see langword="null"/> if it is to span all of them.</summary>
    public static string? Creating => _creating;

    /// <summary>Returns what runs work on each shard that a context works on, on contexts of the same type.</summary>
    public static ShardWork WorkOf(DbContext context)
    {
        var extension = context.GetService<IDbContextOptions>().FindExtension<EfScalingOptionsExtension>()!;
        return new ShardWork(extension.BoundShard is { } bound ? [bound] : [.. extension.Sharding!.Shards.Select(s => s.Name)], shard => CreateContext(context, shard));
    }

    /// <summary>Returns the options with the connection and the replicas of a shard.</summary>
    /// <param name="options">Options on which <c>UseSharding</c> was called.</param>
    /// <param name="shard">The name of the shard that the context works on alone; <see langword="null"/> for a context that spans all of them.</param>
    /// <exception cref="ArgumentException">There is no such shard.</exception>
    public static DbContextOptions Bind(DbContextOptions options, string? shard)
    {
        var extension = options.FindExtension<EfScalingOptionsExtension>()!;
        var sharding = extension.Sharding!;
        var target = shard is null
            ? sharding.Default
            : sharding.Find(shard) ?? throw new ArgumentException(
                $"There is no shard '{shard}'; the shards are {string.Join(", ", sharding.Shards.Select(s => $"'{s.Name}'"))}. Add it by AddShard(...) in UseSharding, or correct the name.", nameof(shard));
        var provider = target.ProviderFrom(options.FindExtension<NpgsqlOptionsExtension>()!);
        return options.WithExtension(provider).WithExtension(new EfScalingOptionsExtension
        {
            Replicas = target.Replicas,
            Cache = extension.Cache,
            Sharding = sharding,
            BoundShard = shard,
        });
    }

    /// <summary>Makes options that are being built lead to a shard.</summary>
    /// <inheritdoc cref="Bind" path="/param"/>
    public static void Apply(DbContextOptionsBuilder options, string? shard)
    {
        var bound = Bind(options.Options, shard);
        var builder = (IDbContextOptionsBuilderInfrastructure)options;
        builder.AddOrUpdateExtension(bound.FindExtension<EfScalingOptionsExtension>()!);
        builder.AddOrUpdateExtension(bound.FindExtension<NpgsqlOptionsExtension>()!);
    }

    // The caller disposes it.
    private static DbContext CreateContext(DbContext like, string shard)
    {
        var type = like.GetType();
        var bound = Bind((DbContextOptions)like.GetService<IDbContextOptions>(), shard);
        var services = bound.FindExtension<CoreOptionsExtension>()?.ApplicationServiceProvider ?? _noServices;
        var takesOptions = type.GetConstructors().Any(c => c.GetParameters().Any(p => p.ParameterType.IsInstanceOfType(bound)));
        DbContext context;
        try
        {
            _creating = shard;
            context = (DbContext)(takesOptions ? ActivatorUtilities.CreateInstance(services, type, bound) : ActivatorUtilities.CreateInstance(services, type));
            if (context.GetService<IDbContextOptions>().FindExtension<EfScalingOptionsExtension>()?.BoundShard == shard)
            {
                return context;
            }
        }
        finally
        {
            _creating = null;
        }

        context.Dispose();
        throw new InvalidOperationException(
            $"A context '{type.Name}' was to be created for the shard '{shard}', and its options lead elsewhere. Give it a public constructor that takes its options and hands them to its base, or call UseSharding(...) last in OnConfiguring.");
    }
}
