using EfScaling.Routing.Checks;
using EfScaling.Routing.Shards;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Graph;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Sample.Sharded;

/// <summary>Fills the shards, each with its people, whom they follow, and what they write.</summary>
internal sealed class ShardedLoader(ShardedDbContextFactory<ShardedFeedContext> contexts, FriendshipGraph graph, ShardedIdGenerator ids)
{
    /// <summary>How many posts each user has.</summary>
    public const int PostsPerPerson = 4;

    private const int PeoplePerSave = 250;

    private readonly ILookup<string, int> _peopleOf = Enumerable.Range(0, graph.People).ToLookup(person => contexts.ShardOf(ShardKey.Of(person)));

    /// <summary>Gets how many posts are written.</summary>
    public int Posts => graph.People * PostsPerPerson;

    /// <summary>Creates on every shard the tables, and what transactions over several shards need.</summary>
    /// <exception cref="SampleException">A shard cannot be used for it; the message says what to change.</exception>
    public async Task CreateTablesAsync(CancellationToken cancellationToken)
    {
        await using var context = contexts.CreateDbContext();
        try
        {
            await context.Database.EnsureCreatedAsync(cancellationToken);
        }
        catch (ShardsFailedException exception)
        {
            throw new SampleException($"The tables could not be created on all shards: {exception.Message}", exception);
        }

        var findings = (await context.Database.CheckShardsAsync(cancellationToken)).Findings;
        if (findings.FirstOrDefault(f => f.IsError || f.Kind is ShardFindingKind.NoPreparedTransactions or ShardFindingKind.NoDecisions) is { } finding)
        {
            throw new SampleException($"The sample writes on several shards in one transaction, and cannot do so here: {finding}", finding.Failure);
        }
    }

    /// <summary>Copies the people of each shard and both directions of each friendship, each to the shard of who follows.</summary>
    public Task CopyGraphAsync(CancellationToken cancellationToken)
    {
        var follows = graph.Friendships.SelectMany(f => new (int Follower, int Followed)[] { (f.A, f.B), (f.B, f.A) }).ToLookup(f => contexts.ShardOf(ShardKey.Of(f.Follower)));
        return EachShardAsync(
            async (shard, context, stop) =>
            {
                await GraphCopy.UsersAsync(context, _peopleOf[shard], stop);
                await GraphCopy.FollowsAsync(context, follows[shard], stop);
            },
            cancellationToken);
    }

    /// <summary>Writes the first posts of everyone.</summary>
    public Task WritePostsAsync(CancellationToken cancellationToken) => EachShardAsync(
        async (shard, context, stop) =>
        {
            var map = context.Database.GetShardMap();
            foreach (var people in _peopleOf[shard].Chunk(PeoplePerSave))
            {
                context.ChangeTracker.Clear();
                context.AddRange(people.SelectMany(person => Enumerable.Range(1, PostsPerPerson).Select(number => new Post
                {
                    AuthorId = person,
                    Id = ids.Next(map.BucketOf(ShardKey.Of(person))!.Value),
                    Text = $"post {number} of user {person}",
                })));
                await context.SaveChangesAsync(stop);
            }

            await context.Database.ExecuteSqlRawAsync("ANALYZE", stop);
        },
        cancellationToken);

    private Task EachShardAsync(Func<string, ShardedFeedContext, CancellationToken, Task> work, CancellationToken cancellationToken) =>
        Parallel.ForEachAsync(contexts.Shards, cancellationToken, async (shard, stop) =>
        {
            await using var context = contexts.CreateDbContextOnShard(shard);
            await work(shard, context, stop);
        });
}
