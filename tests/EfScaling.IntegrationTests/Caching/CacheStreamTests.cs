using System.Diagnostics;
using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>However much of a result an application reads, and whatever it does with it, the next one gets all of it as it was.</summary>
public sealed class CacheStreamTests(ClusterFixture fixture)
{
    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(500)]
    public async Task A_stream_that_is_left_early_leaves_no_part_behind(int rows)
    {
        var process = await CachedBlogs.StartAsync(fixture.Cluster);
        await fixture.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") SELECT '{_notes.Mark}' FROM generate_series(1, {rows})");
        for (var i = 0; i < 3; i++)
        {
            await using (var context = process.Context())
            {
                await foreach (var note in _notes.Query(context).AsAsyncEnumerable())
                {
                    Assert.Equal(_notes.Mark, note.Text);
                    break;
                }

                foreach (var note in _notes.Query(context))
                {
                    Assert.Equal(_notes.Mark, note.Text);
                    break;
                }
            }

            await using var whole = process.Context();
            Assert.Equal(rows, (await _notes.Query(whole).ToListAsync()).Count);
            Assert.Equal(rows, _notes.Query(whole).ToList().Count);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_reader_waits_for_no_application_that_reads_the_same_result_row_by_row(bool isAsync)
    {
        var process = await CachedBlogs.StartAsync(fixture.Cluster);
        await fixture.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") SELECT '{_notes.Mark}' FROM generate_series(1, 3)");
        await using var context = process.Context();
        await using var other = process.Context();
        var waits = new List<TimeSpan>();
        await foreach (var note in _notes.Query(context).AsAsyncEnumerable())
        {
            var start = Stopwatch.GetTimestamp();
            Assert.Equal(3, isAsync ? (await _notes.Query(other).ToListAsync()).Count : _notes.Query(other).ToList().Count);
            waits.Add(Stopwatch.GetElapsedTime(start));
        }

        Assert.Equal(3, waits.Count);
        Assert.InRange(waits.Max(), TimeSpan.Zero, Flights.Patience * 0.75);
    }

    [Fact]
    public async Task First_without_Single_and_Last_of_many_give_what_the_database_gives()
    {
        var process = await CachedBlogs.StartAsync(fixture.Cluster);
        await fixture.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") SELECT '{_notes.Mark}' FROM generate_series(1, 9)");
        await using var context = process.Context();
        var all = await context.Notes.Where(n => n.Text == _notes.Mark).Select(n => n.Id).OrderBy(i => i).ToListAsync();
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(all[0], (await _notes.Query(context).OrderBy(n => n.Id).FirstAsync()).Id);
            Assert.Equal(all[^1], (await _notes.Query(context).OrderBy(n => n.Id).LastAsync()).Id);
            Assert.Equal(all[3], (await _notes.Query(context).OrderBy(n => n.Id).Skip(3).FirstOrDefaultAsync())!.Id);
            await Assert.ThrowsAsync<InvalidOperationException>(() => _notes.Query(context).SingleAsync());
        }
    }

    [Fact]
    public async Task Entities_that_a_context_tracks_already_do_not_reach_the_cache()
    {
        var process = await CachedBlogs.StartAsync(fixture.Cluster);
        await _notes.AddAsync(process);
        await using (var context = process.Context())
        {
            var tracked = await context.Notes.SingleAsync(n => n.Text == _notes.Mark);
            tracked.Text = "changed and not saved";
            Assert.Same(tracked, Assert.Single(await _notes.Query(context).ToListAsync()));
            Assert.Equal("changed and not saved", tracked.Text);
        }

        await using var fresh = process.Context();
        Assert.Equal(_notes.Mark, Assert.Single(await _notes.Query(fresh).ToListAsync()).Text);
        Assert.True(fresh.Database.LastRouting()!.Value.Cache is { IsHit: true });
    }

    [Fact]
    public async Task Nothing_is_a_result_too()
    {
        var process = await CachedBlogs.StartAsync(fixture.Cluster);
        await using var context = process.Context();
        Assert.Null(await _notes.Query(context).FirstOrDefaultAsync());
        Assert.Null(await _notes.Query(context).FirstOrDefaultAsync());
        Assert.Equal(CacheOutcome.LocalHit, context.Database.LastRouting()!.Value.Cache!.Value.Outcome);
        await _notes.AddAsync(process);
        Assert.NotNull(await _notes.Query(context).FirstOrDefaultAsync());
    }

    [Fact]
    public async Task Nulls_stay_nulls_and_what_one_reader_changes_no_other_sees()
    {
        var connectionString = fixture.Cluster.Primary.GetConnectionString("cache_streams");
        await ShapesContext.CreateAsync(connectionString);
        var options = ShapesContext.Options(connectionString).UseQueryCache(c => c.Store(new MemoryCacheStore())).Options;
        await using (var context = new ShapesContext(options))
        {
            context.AddRange(new Blob { Mark = "1 null" }, new Blob { Mark = "2 empty", Bytes = [], Number = 0, Unique = Guid.Empty, Numbers = [] }, new Blob { Mark = "3 full", Bytes = [1, 2], Number = 3, Numbers = [4, 5] });
            await context.SaveChangesAsync();
        }

        var isHit = false;
        for (var i = 0; i < 100 && !isHit; i++)
        {
            await using var context = new ShapesContext(options);
            var blobs = await context.Set<Blob>().OrderBy(b => b.Mark).Cacheable().ToListAsync();
            isHit = context.Database.LastRouting()!.Value.Cache is { IsHit: true };
            Check(blobs);
            await using var other = new ShapesContext(options);
            blobs = await other.Set<Blob>().OrderBy(b => b.Mark).Cacheable().ToListAsync();
            Check(blobs);
            await using var third = new ShapesContext(options);
            await Assert.ThrowsAsync<InvalidOperationException>(() => third.Set<Blob>().OrderBy(b => b.Mark).Select(b => b.Number!.Value).Cacheable().ToListAsync());
        }

        Assert.True(isHit);

        static void Check(List<Blob> blobs)
        {
            Assert.Equal((null, null, null, null), (blobs[0].Bytes, blobs[0].Number, blobs[0].Unique, blobs[0].Numbers));
            Assert.Equal((0, Guid.Empty), (blobs[1].Number, blobs[1].Unique));
            Assert.Empty(blobs[1].Bytes!);
            Assert.Empty(blobs[1].Numbers!);
            Assert.Equal([1, 2], blobs[2].Bytes!);
            Assert.Equal([4, 5], blobs[2].Numbers!);
            blobs[2].Bytes![0] = 99;
            blobs[2].Numbers![0] = 99;
        }
    }
}
