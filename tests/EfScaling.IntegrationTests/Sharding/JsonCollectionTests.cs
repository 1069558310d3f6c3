using EfScaling.IntegrationTests.Clusters;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>Collections that entities own as JSON are changed as with plain EF, however a context scales.</summary>
public sealed class JsonCollectionTests(PressDatabases databases, ClusterFixture fixture) : IClassFixture<PressDatabases>
{
    private static readonly Dictionary<string, Action<List<Mark>>> _changes = new()
    {
        ["remove the first"] = m => m.RemoveRange(0, Math.Min(1, m.Count)),
        ["remove the last"] = m => m.RemoveRange(Math.Max(0, m.Count - 1), Math.Min(1, m.Count)),
        ["remove several"] = m => m.RemoveRange(0, Math.Min(2, m.Count)),
        ["clear"] = m => m.Clear(),
        ["add"] = m => m.Add(new Mark { Text = "new" }),
        ["insert in front"] = m => m.Insert(0, new Mark { Text = "new" }),
        ["replace the first"] = m =>
        {
            m.RemoveRange(0, Math.Min(1, m.Count));
            m.Insert(0, new Mark { Text = "new" });
        },
        ["change the last"] = m => m.TakeLast(1).ToList().ForEach(last => last.Text += "+"),
        ["remove and change"] = m =>
        {
            m.RemoveRange(0, Math.Min(1, m.Count));
            m.Take(1).ToList().ForEach(first => first.Text += "+");
        },
        ["remove and add"] = m =>
        {
            m.RemoveRange(0, Math.Min(1, m.Count));
            m.Add(new Mark { Text = "new" });
        },
        ["turn around"] = m => m.Reverse(),
    };

    public static TheoryData<string> Changes => [.. _changes.Keys];

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task Are_saved_or_refused_as_with_plain_EF(string change)
    {
        foreach (var isRead in new[] { false, true })
        {
            // EF itself refuses most of what follows the removal of an element that others come after, until the context is another one.
            foreach (var before in new[] { null, "remove the first" })
            {
                var expected = await SaveAsync([before, change], "none", isRead);
                foreach (var scaling in new[] { "replicas", "shards", "one shard" })
                {
                    Assert.Equal((scaling, before, isRead, expected), (scaling, before, isRead, await SaveAsync([before, change], scaling, isRead)));
                }
            }
        }
    }

    // The texts that are in the database after each change, or why it was refused.
    private async Task<string> SaveAsync(string?[] changes, string scaling, bool isRead)
    {
        var room = new RoomId(Random.Shared.NextInt64());
        await using var context = Context(scaling, room);
        var seat = new Seat { Region = Region.Here, Room = room, Number = 1 };
        seat.Marks.AddRange("abcdefg".Select(c => new Mark { Text = $"{c}" }));
        context.Add(seat);
        await context.SaveChangesAsync();
        if (isRead)
        {
            context.ChangeTracker.Clear();
            seat = await SeatAsync(context, room);
        }

        var texts = new List<string>();
        try
        {
            foreach (var change in changes.OfType<string>())
            {
                _changes[change](seat.Marks);
                await context.SaveChangesAsync();
                await using var fresh = Context(scaling, room);
                texts.Add(string.Join(',', (await SeatAsync(fresh, room)).Marks.Select(m => m.Text)));
            }

            context.Remove(seat);
            await context.SaveChangesAsync();
            texts.Add("gone");
        }
        catch (InvalidOperationException refusal)
        {
            texts.Add(refusal.Message);
        }

        return string.Join('\n', texts);
    }

    private static Task<Seat> SeatAsync(PressContext context, RoomId room) =>
        context.Seats.AsPrimary().SingleAsync(s => s.Region == Region.Here && s.Room == room && s.Number == 1);

    private PressContext Context(string scaling, RoomId room) => scaling switch
    {
        "none" => databases.Whole(),
        "replicas" => new PressContext((DbContextOptions<PressContext>)new DbContextOptionsBuilder<PressContext>()
            .UseNpgsql(databases.ConnectionTo("all"))
            .UseReadReplicas(r => r.AddReplica(databases.ConnectionTo("all", fixture.Cluster.Standbys[0]))).Options),
        "shards" => databases.Sharded.CreateDbContext(),
        _ => databases.Sharded.CreateDbContext(ShardKey.Composite(ShardKey.Of((int)Region.Here), ShardKey.Of(room.Value)), map: "seats"),
    };
}
