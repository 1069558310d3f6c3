// The options of the provider are only reachable through its internal extension (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using EfScaling.Infrastructure;
using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Tests.Models;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace EfScaling.Tests.Infrastructure;

public sealed class EfScalingOptionsExtensionTests
{
    private static readonly string[] _secrets = ["primary-secret", "replica-secret", "Password", "invalid"];

    // Every setting that does not shape the model, changed.
    private static readonly Dictionary<string, Action<ReplicaOptionsBuilder>> _settings = new()
    {
        ["none"] = _ => { },
        ["replica"] = r => r.AddReplica("Host=another.invalid;Password=another-secret", "eu", 3),
        ["staleness"] = r => r.MaxStaleness(1.Seconds()),
        ["region"] = r => r.PreferRegion("eu"),
        ["balancing"] = r => r.Balancing(LoadBalancing.RoundRobin),
        ["probes"] = r => r.ProbeInterval(1.Seconds()).ProbeTimeout(2.Seconds()),
        ["time-outs"] = r => r.ConnectTimeout(1.Seconds()).ReadTimeout(1.Seconds()),
        ["connections"] = r => r.MaxConnections(3),
        ["budget"] = r => r.UnlimitedFallback(),
        ["ramp-up"] = r => r.RampUp(1.Seconds()),
    };

    // None of them reaches a server.
    private static readonly Dictionary<string, Action<ShopContext>> _commands = new()
    {
        ["query"] = c => c.Customers.Count(),
        ["query on the primary"] = c => c.Customers.AsPrimary().Count(),
        ["SaveChanges"] = c =>
        {
            c.Add(new Product { Name = "lamp" });
            c.SaveChanges();
        },
        ["SQL"] = c => c.Database.ExecuteSqlRaw("SELECT 1"),
        ["transaction"] = c => c.Database.BeginTransaction(),
    };

    public static TheoryData<string> Settings => [.. _settings.Keys];

    public static TheoryData<string> Commands => [.. _commands.Keys];

    [Theory]
    [MemberData(nameof(Settings))]
    public void Servers_limits_and_times_share_one_service_provider(string setting)
    {
        using var context = ShopContext.Create();
        using var other = ShopContext.Create(_settings[setting]);

        Assert.Equal(Info(context).GetServiceProviderHashCode(), Info(other).GetServiceProviderHashCode());
        Assert.True(Info(context).ShouldUseSameServiceProvider(Info(other)));
        Assert.Same(SingletonOf(context), SingletonOf(other));
        Assert.Same(context.Model, other.Model);
    }

    [Fact]
    public void Primaries_share_one_service_provider()
    {
        using var context = ShopContext.Create();
        using var other = new ShopContext(new DbContextOptionsBuilder().UseNpgsql("Host=other.invalid").UseReadReplicas().Options);

        Assert.Same(SingletonOf(context), SingletonOf(other));
    }

    [Fact]
    public void The_rule_for_tracked_reads_shapes_the_model_and_so_the_service_provider()
    {
        var contexts = Enum.GetValues<TrackedReads>().Select(t => ShopContext.Create(r => r.TrackedReads(t))).ToList();

        Assert.Equal(contexts.Count, contexts.Select(c => Info(c).GetServiceProviderHashCode()).Distinct().Count());
        Assert.Equal(contexts.Count, contexts.Select(SingletonOf).Distinct().Count());
        Assert.False(Info(contexts[0]).ShouldUseSameServiceProvider(Info(contexts[1])));
        contexts.ForEach(c => c.Dispose());
    }

    [Fact]
    public void Equal_settings_over_equal_servers_share_one_cluster()
    {
        using var context = ShopContext.Create(r => r.MaxStaleness(3.Seconds()));
        using var same = ShopContext.Create(r => r.MaxStaleness(3.Seconds()));
        using var other = ShopContext.Create(r => r.MaxStaleness(4.Seconds()));

        Assert.Same(ClusterOf(context), ClusterOf(same));
        Assert.NotSame(ClusterOf(context), ClusterOf(other));
    }

    [Fact]
    public void Log_fragment_and_debug_info_name_the_feature_and_no_secret()
    {
        using var context = ShopContext.Create();
        var debugInfo = new Dictionary<string, string>();
        Info(context).PopulateDebugInfo(debugInfo);

        Assert.Equal("using ReadReplicas ", Info(context).LogFragment);
        Assert.NotEmpty(debugInfo);
        Assert.All(_secrets, secret => Assert.DoesNotContain(secret, Info(context).LogFragment + string.Join('|', debugInfo), StringComparison.OrdinalIgnoreCase));
        Assert.False(Info(context).IsDatabaseProvider);
    }

    [Fact]
    public void A_later_call_replaces_the_settings_and_leaves_options_in_use_alone()
    {
        var builder = new DbContextOptionsBuilder().UseNpgsql(ShopContext.Primary).UseReadReplicas(r => r.AddReplica(ShopContext.Replica).MaxStaleness(1.Seconds()));
        var inUse = builder.Options;

        builder.UseReadReplicas(r => r.AddReplica(ShopContext.Replica).MaxStaleness(2.Seconds()));

        Assert.Equal(1.Seconds(), inUse.FindExtension<EfScalingOptionsExtension>()!.Replicas!.MaxStaleness);
        Assert.Equal(2.Seconds(), builder.Options.FindExtension<EfScalingOptionsExtension>()!.Replicas!.MaxStaleness);
    }

    [Fact]
    public void Without_a_provider_says_what_to_call()
    {
        AssertRefused(new DbContextOptionsBuilder().UseReadReplicas(r => r.AddReplica(ShopContext.Replica)), "without a database provider", "UseNpgsql");
    }

    [Fact]
    public void With_another_provider_says_what_to_call()
    {
        var options = new DbContextOptionsBuilder();
        ((IDbContextOptionsBuilderInfrastructure)options).AddOrUpdateExtension(new OtherProvider());

        AssertRefused(options.UseReadReplicas(r => r.AddReplica(ShopContext.Replica)), "'EfScaling.Tests'", "UseNpgsql");
    }

    [Fact]
    public void Before_UseNpgsql_says_what_to_call()
    {
        AssertRefused(new DbContextOptionsBuilder().UseReadReplicas(r => r.AddReplica(ShopContext.Replica)).UseNpgsql(ShopContext.Primary), "before UseNpgsql", "UseNpgsql");
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Wrong_servers_are_refused_by_every_first_command_also_beside_right_ones_with_the_same_service_provider(string command)
    {
        using var right = ShopContext.Create();
        for (var attempt = 0; attempt < 2; attempt++)
        {
            using var wrong = ShopContext.Create(r => r.AddReplica(ShopContext.Primary));
            Assert.Same(SingletonOf(right), SingletonOf(wrong));

            var exception = Assert.Throws<InvalidOperationException>(() => _commands[command](wrong));

            Assert.Contains("Remove that AddReplica call", exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void UseReadReplicas_needs_options() => Assert.Throws<ArgumentNullException>(() => ((DbContextOptionsBuilder)null!).UseReadReplicas());

    [Fact]
    public void The_generic_overload_keeps_the_type_of_the_builder()
    {
        DbContextOptions<ShopContext> options = new DbContextOptionsBuilder<ShopContext>().UseNpgsql(ShopContext.Primary).UseReadReplicas(r => r.MaxStaleness(1.Seconds())).Options;

        Assert.Equal(1.Seconds(), options.FindExtension<EfScalingOptionsExtension>()!.Replicas!.MaxStaleness);
    }

    [Fact]
    public void Users_add_no_interceptor_by_hand()
    {
        using var context = ShopContext.Create();
        var interceptors = context.GetService<IEnumerable<IInterceptor>>().Select(i => i.GetType());

        Assert.Equal(
            new[] { nameof(PrimaryConnectionInterceptor), nameof(QueryOperatorInterceptor), nameof(ReadOnlyContextInterceptor), nameof(SnapshotTransactionInterceptor) },
            interceptors.Select(t => t.Name).Where(n => n.EndsWith("Interceptor", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Without_UseReadReplicas_nothing_of_EF_is_replaced()
    {
        using var context = ShopContext.CreateWithoutReplicas();

        Assert.NotEqual(typeof(EfScalingOptionsExtension).Assembly, context.GetService<IRelationalCommandBuilderFactory>().GetType().Assembly);
        Assert.NotEqual(typeof(EfScalingOptionsExtension).Assembly, context.GetService<IQuerySqlGeneratorFactory>().GetType().Assembly);
        Assert.Empty(context.GetService<IEnumerable<IInterceptor>>());
    }

    private static void AssertRefused(DbContextOptionsBuilder options, params string[] words)
    {
        var exception = Assert.Throws<InvalidOperationException>(() => new ShopContext(options.Options));

        Assert.Contains("UseReadReplicas", exception.Message, StringComparison.Ordinal);
        Assert.All(words, word => Assert.Contains(word, exception.Message, StringComparison.Ordinal));
        Assert.All(_secrets, secret => Assert.DoesNotContain(secret, exception.ToString(), StringComparison.Ordinal));
    }

    private static DbContextOptionsExtensionInfo Info(DbContext context) => context.GetService<IDbContextOptions>().FindExtension<EfScalingOptionsExtension>()!.Info;

    private static object SingletonOf(DbContext context) => context.GetService<ClusterRegistry>();

    private static Cluster ClusterOf(DbContext context)
    {
        var options = context.GetService<IDbContextOptions>();
        var provider = options.FindExtension<NpgsqlOptionsExtension>()!;
        return context.GetService<ClusterRegistry>().Get(context, provider, provider.ConnectionString, options.FindExtension<EfScalingOptionsExtension>()!.Replicas!, string.Empty);
    }

    /// <summary>A database provider that is not Npgsql.</summary>
    private sealed class OtherProvider : IDbContextOptionsExtension
    {
        public DbContextOptionsExtensionInfo Info => new OtherProviderInfo(this);

        public void ApplyServices(IServiceCollection services)
        {
        }

        public void Validate(IDbContextOptions options)
        {
        }

        private sealed class OtherProviderInfo(IDbContextOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
        {
            public override bool IsDatabaseProvider => true;

            public override string LogFragment => string.Empty;

            public override int GetServiceProviderHashCode() => 0;

            public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is OtherProviderInfo;

            public override void PopulateDebugInfo(IDictionary<string, string> debugInfo)
            {
            }
        }
    }
}
