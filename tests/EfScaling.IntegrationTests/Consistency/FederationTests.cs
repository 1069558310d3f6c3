using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Consistency;

/// <summary>Two databases for two purposes, each with a context and a replica of its own: one session spans both, and its token carries both.</summary>
public sealed class FederationTests : IAsyncLifetime
{
    private static readonly byte[] _key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    private PostgresCluster? _feed;
    private PostgresCluster? _accounts;

    public async ValueTask InitializeAsync()
    {
        _feed = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        _accounts = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(_feed);
        await using var accounts = new AccountsContext(Options<AccountsContext>(_accounts, "accounts"));
        await accounts.Database.EnsureCreatedAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var cluster in new[] { _feed, _accounts }.OfType<PostgresCluster>())
        {
            await cluster.DisposeAsync();
        }
    }

    [Fact]
    public async Task The_token_of_a_session_that_wrote_to_both_makes_each_read_show_its_own_writes()
    {
        var (feed, accounts) = (Options<BlogContext>(_feed!, "feed"), Options<AccountsContext>(_accounts!, "accounts"));
        await ServeAsync(feed, accounts);
        await PauseAsync(_feed!, _accounts!);
        var text = await WriteAsync(feed, accounts);

        Assert.Equal([(1, NodeRole.Primary, RoutingReason.ReadYourWrites), (1, NodeRole.Primary, RoutingReason.ReadYourWrites)], await ReadAsync(text, feed, accounts));

        // Each follows its own replica.
        await _accounts!.Standbys[0].ResumeReplayAsync();
        await _accounts.WaitForReplicationAsync();
        await Eventually.ThatAsync(
            async () => (await ReadAsync(text, feed, accounts))[1] is (1, NodeRole.Replica, _), ReplicaReads.Patience, "the accounts are read from their replica");
        Assert.Equal((1, NodeRole.Primary, RoutingReason.ReadYourWrites), (await ReadAsync(text, feed, accounts))[0]);

        await _feed!.Standbys[0].ResumeReplayAsync();
        await _feed.WaitForReplicationAsync();
        await Eventually.ThatAsync(
            async () => (await ReadAsync(text, feed, accounts)) is [(1, NodeRole.Replica, _), (1, NodeRole.Replica, _)], ReplicaReads.Patience, "both are read from their replicas");
    }

    [Theory]
    [InlineData("feed", "accounts", NodeRole.Replica, RoutingReason.FreshReplica)]
    [InlineData(null, null, NodeRole.Primary, RoutingReason.TokenNotUsable)]
    public async Task A_session_that_used_one_database_leaves_the_replicas_of_the_other_alone_if_they_have_names(string? feedName, string? accountsName, NodeRole role, RoutingReason reason)
    {
        var (feed, accounts) = (Options<BlogContext>(_feed!, feedName), Options<AccountsContext>(_accounts!, accountsName));
        await ServeAsync(feed, accounts);
        string text;
        using (var session = ConsistencySession.Begin())
        {
            await using var context = new AccountsContext(accounts);
            context.Accounts.Add(new Account { Name = "ada" });
            await context.SaveChangesAsync();
            text = new ConsistencyTokenProtector(_key).Protect(await session.GetTokenAsync());
        }

        using var next = ConsistencySession.Begin(new ConsistencyTokenProtector(_key).Unprotect(text));
        await using var blogs = new BlogContext(feed);
        await blogs.Blogs.CountAsync();
        Assert.Equal((role, reason), (blogs.Database.LastRouting()!.Value.Role, blogs.Database.LastRouting()!.Value.Reason));
    }

    private static async Task<string> WriteAsync(DbContextOptions<BlogContext> feed, DbContextOptions<AccountsContext> accounts)
    {
        using var session = ConsistencySession.Begin();
        await using var blogs = new BlogContext(feed);
        await using var people = new AccountsContext(accounts);
        blogs.Notes.Add(new Note { Text = "federated" });
        await blogs.SaveChangesAsync();
        people.Accounts.Add(new Account { Name = "federated" });
        await people.SaveChangesAsync();
        return new ConsistencyTokenProtector(_key).Protect(await session.GetTokenAsync());
    }

    private static async Task<List<(int Rows, NodeRole Role, RoutingReason Reason)>> ReadAsync(string token, DbContextOptions<BlogContext> feed, DbContextOptions<AccountsContext> accounts)
    {
        using var session = ConsistencySession.Begin(new ConsistencyTokenProtector(_key).Unprotect(token));
        await using var blogs = new BlogContext(feed);
        await using var people = new AccountsContext(accounts);
        var notes = await blogs.Notes.CountAsync(n => n.Text == "federated");
        var found = await people.Accounts.CountAsync(a => a.Name == "federated");
        var (first, second) = (blogs.Database.LastRouting()!.Value, people.Database.LastRouting()!.Value);
        return [(notes, first.Role, first.Reason), (found, second.Role, second.Reason)];
    }

    private static async Task ServeAsync(DbContextOptions<BlogContext> feed, DbContextOptions<AccountsContext> accounts)
    {
        await ReplicaReads.ServesAsync(feed);
        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = new AccountsContext(accounts);
                await context.Accounts.CountAsync();
                return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
            },
            ReplicaReads.Patience,
            "the replica of the accounts serves");
    }

    private static async Task PauseAsync(params PostgresCluster[] clusters)
    {
        foreach (var cluster in clusters)
        {
            await cluster.WaitForReplicationAsync();
            await cluster.Standbys[0].PauseReplayAsync();
        }
    }

    private static DbContextOptions<TContext> Options<TContext>(PostgresCluster cluster, string? name)
        where TContext : DbContext => new DbContextOptionsBuilder<TContext>().UseNpgsql(cluster.Primary.ConnectionString).UseReadReplicas(r =>
        {
            r.AddReplica(cluster.Standbys[0].ConnectionString).MaxStaleness(TimeSpan.FromMinutes(5));
            if (name is not null)
            {
                r.ClusterName(name);
            }
        }).Options;

    private sealed class AccountsContext(DbContextOptions<AccountsContext> options) : DbContext(options)
    {
        public DbSet<Account> Accounts => Set<Account>();
    }

    private sealed class Account
    {
        public int Id { get; set; }

        public required string Name { get; set; }
    }
}
