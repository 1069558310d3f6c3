using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Projections;

/// <summary>An empty database of a cluster, and the instances of an application that run over it.</summary>
internal sealed class OrderDatabase : IAsyncDisposable
{
    private static int _count;

    private readonly List<OrderInstance> _instances = [];

    private OrderDatabase(PostgresCluster cluster, string name) => (Cluster, Name) = (cluster, name);

    public PostgresCluster Cluster { get; }

    public string Name { get; }

    public string ConnectionString => Cluster.Primary.GetConnectionString(Name);

    public static async Task<OrderDatabase> CreateAsync(PostgresCluster cluster, bool withTables = true)
    {
        var database = new OrderDatabase(cluster, $"orders{Interlocked.Increment(ref _count)}");
        await cluster.Primary.ExecuteAsync($"CREATE DATABASE {database.Name}");
        if (withTables)
        {
            await using var context = new OrderContext(new DbContextOptionsBuilder<OrderContext>().UseNpgsql(database.ConnectionString).Options);
            await context.Database.EnsureCreatedAsync();
        }

        return database;
    }

    public OrderInstance Instance(Action<OrderInstanceOptions>? configure = null)
    {
        var options = new OrderInstanceOptions();
        configure?.Invoke(options);
        var instance = new OrderInstance(this, options);
        _instances.Add(instance);
        return instance;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var instance in _instances)
        {
            await instance.DisposeAsync();
        }

        await Cluster.Primary.ExecuteAsync($"DROP DATABASE {Name} WITH (FORCE)");
    }
}
