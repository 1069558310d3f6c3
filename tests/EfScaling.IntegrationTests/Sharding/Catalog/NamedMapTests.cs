using System.Collections.Concurrent;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>Several maps of different kinds are changed under one catalog, each by itself, while processes that have not heard of it read and write.</summary>
public sealed class NamedMapTests(Atlas atlas) : IClassFixture<Atlas>
{
    private static readonly string[] _maps = [AtlasContext.Events, AtlasContext.Profiles, AtlasContext.Places];

    public static TheoryData<string> Maps => [.. _maps];

    [Theory]
    [MemberData(nameof(Maps))]
    public async Task A_change_concerns_the_rows_of_its_map_and_no_others(string name)
    {
        for (var change = 0; change < 2; change++)
        {
            var deaf = atlas.Process();
            await CountAsync(deaf, Atlas.Rows);
            var before = MapOf(deaf, name);
            var counts = await CountsAsync(deaf);
            await atlas.ChangeAsync(name, async (change, token) =>
            {
                // Rows of the other maps on the same shards are not fenced, neither for those who have heard of nothing nor for who makes the change.
                foreach (var process in new[] { deaf, atlas.Changing })
                {
                    await CountAsync(process, Atlas.Rows.Where(r => r.Map != name));
                }

                await using var waiting = deaf.CreateDbContext();
                waiting.Database.SetCommandTimeout(1);
                var refused = await Assert.ThrowsAsync<ShardMapChangedException>(() => Atlas.RowsOf(name).First().Query(waiting).SingleAsync(token));
                Assert.Contains($"shard map '{name}', whole shard", refused.Message, StringComparison.Ordinal);
            });

            Assert.Equal(before.Version, MapOf(deaf, name).Version);
            var after = MapOf(atlas.Changing, name);
            Assert.Contains(Atlas.RowsOf(name), r => before.ShardOf(r.Key) != after.ShardOf(r.Key));
            await CountAsync(deaf, Atlas.Rows, (row, shard) => row.Map != name || after.ShardOf(row.Key) == shard);
            Assert.Equal(after.Version, MapOf(deaf, name).Version);

            // Both processes counted the rows of the other maps during the change, and one of them all rows after it.
            Assert.Equal(counts.ToDictionary(c => c.Key, c => c.Value + (c.Key.Map == name ? 1 : 3)), await CountsAsync(atlas.Process()));
            await VerifyAsync();
        }
    }

    [Fact]
    public async Task No_row_is_lost_doubled_or_misplaced_while_all_maps_change()
    {
        using var end = new CancellationTokenSource();
        var faults = new ConcurrentQueue<string>();
        ShardedDbContextFactory<AtlasContext>[] processes = [atlas.Process(), atlas.Process()];
        var before = await CountsAsync(atlas.Process());
        var saved = new ConcurrentDictionary<AtlasRow, int>();
        var writers = processes.SelectMany((process, number) => _maps.Select(map => Task.Run(() => WriteAsync(process, [.. Atlas.RowsOf(map).Where((_, i) => i % 2 == number)])))).ToList();
        try
        {
            for (var round = 0; round < 4; round++)
            {
                foreach (var map in _maps)
                {
                    var written = saved.Values.Sum();
                    await atlas.ChangeAsync(map);

                    // Something was written between any two changes.
                    await EfScaling.Testing.Eventually.ThatAsync(() => Task.FromResult(saved.Values.Sum() > written || !faults.IsEmpty), TimeSpan.FromSeconds(60), "a write");
                }
            }
        }
        finally
        {
            await end.CancelAsync();
            await Task.WhenAll(writers);
        }

        Assert.True(faults.IsEmpty, string.Join('\n', faults.Take(5)));
        Assert.Equal(before.ToDictionary(c => c.Key, c => c.Value + saved.GetValueOrDefault(c.Key)), await CountsAsync(atlas.Process()));
        await VerifyAsync();

        async Task WriteAsync(ShardedDbContextFactory<AtlasContext> process, AtlasRow[] rows)
        {
            for (var i = 0; !end.IsCancellationRequested && faults.IsEmpty; i++)
            {
                var row = rows[i % rows.Length];
                try
                {
                    await using var context = process.CreateDbContext();
                    if (i % 3 == 0)
                    {
                        (await row.Query(context).SingleAsync()).Count++;
                        Assert.Equal(1, await context.SaveChangesAsync());
                    }
                    else
                    {
                        Assert.Equal(1, await row.Query(context).ExecuteUpdateAsync(s => s.SetProperty(r => r.Count, r => r.Count + 1)));
                    }

                    saved.AddOrUpdate(row, 1, (_, count) => count + 1);
                }
                catch (Exception exception)
                {
                    faults.Enqueue($"a row of {row.Map}: {exception}");
                }
            }
        }
    }

    [Fact]
    public async Task While_a_change_of_one_map_is_pending_no_other_map_is_changed_and_all_of_them_are_used()
    {
        await Assert.ThrowsAsync<TimeoutException>(() => atlas.ChangeAsync(AtlasContext.Places, (_, _) => throw new TimeoutException("interrupted")));
        await using var context = atlas.Changing.CreateDbContext();
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => atlas.ChangeAsync(AtlasContext.Events));
        Assert.Contains($"'{AtlasContext.Places}' is pending", refused.Message, StringComparison.Ordinal);
        Assert.False(await context.Database.ResumeShardMapChangeAsync(Atlas.MoveRowsAsync, AtlasContext.Events));
        await CountAsync(atlas.Process(), Atlas.Rows.Where(r => r.Map != AtlasContext.Places));

        Assert.True(await context.Database.ResumeShardMapChangeAsync(Atlas.MoveRowsAsync, AtlasContext.Places));
        await CountAsync(atlas.Process(), Atlas.Rows);
        await VerifyAsync();
    }

    // Reads each row by its key, counts it up and saves it.
    private static async Task CountAsync(ShardedDbContextFactory<AtlasContext> process, IEnumerable<AtlasRow> rows, Func<AtlasRow, string?, bool>? isRight = null)
    {
        foreach (var row in rows)
        {
            await using var context = process.CreateDbContext();
            (await row.Query(context).SingleAsync()).Count++;
            var shard = context.Database.LastRouting()!.Value.Shard;
            Assert.True(isRight?.Invoke(row, shard) != false, $"a row of {row.Map} was read on {shard}");
            await context.SaveChangesAsync();
        }
    }

    private static async Task<Dictionary<AtlasRow, int>> CountsAsync(ShardedDbContextFactory<AtlasContext> process)
    {
        var counts = new Dictionary<AtlasRow, int>();
        foreach (var row in Atlas.Rows)
        {
            await using var context = process.CreateDbContext();
            counts[row] = await row.Query(context).Select(r => r.Count).SingleAsync();
        }

        return counts;
    }

    private async Task VerifyAsync()
    {
        var everywhere = await atlas.Changing.ForEachShardAsync(
            async (c, token) => await c.Set<Happening>().CountAsync(token) + await c.Set<Profile>().CountAsync(token) + await c.Set<Place>().CountAsync(token));
        Assert.All(everywhere, r => Assert.Null(r.Failure));
        Assert.Equal(Atlas.Rows.Count, everywhere.Sum(r => r.Value));
        await using var context = atlas.Changing.CreateDbContext();
        var placement = await context.Database.VerifyPlacementAsync();
        Assert.True(placement.IsRight, placement.ToString());
    }

    private static ShardMap MapOf(ShardedDbContextFactory<AtlasContext> process, string name)
    {
        using var context = process.CreateDbContext();
        return context.Database.GetShardMap(name);
    }
}
