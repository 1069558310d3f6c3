using System.Text.Json;
using System.Text.Json.Serialization;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>Ids that carry the bucket of their row's key lead to its shard alone, and so do keys in all their forms.</summary>
public sealed class ShardedIdTests(PressDatabases databases) : IClassFixture<PressDatabases>
{
    private static readonly JsonSerializerOptions _json = new() { ReferenceHandler = ReferenceHandler.IgnoreCycles };

    private static readonly Dictionary<string, Func<PressContext, Author, Task<object?>>> _queries = new()
    {
        ["Find"] = async (c, a) => await c.Articles.FindAsync(a.Articles[0].Id),
        ["by id"] = async (c, a) => await c.Articles.Where(x => x.Id == a.Articles[0].Id).ToListAsync(),
        ["by an id of the wrong sign"] = async (c, a) => await c.Articles.Where(x => x.Id == -a.Articles[0].Id).ToListAsync(),
        ["by ids"] = async (c, a) =>
        {
            var ids = a.Articles.Select(x => x.Id).ToList();
            return await c.Articles.IgnoreQueryFilters().Where(x => ids.Contains(x.Id)).OrderBy(x => x.Id).Select(x => x.Title).ToListAsync();
        },
        ["by ids, a parameter for each"] = async (c, a) =>
        {
            var ids = a.Articles.Select(x => x.Id).ToList();
            return await c.Articles.Where(x => EF.MultipleParameters(ids).Contains(x.Id)).OrderBy(x => x.Id).Select(x => x.Title).ToListAsync();
        },
        ["by ids in the SQL"] = async (c, a) =>
        {
            var ids = a.Articles.Select(x => x.Id).ToList();
            return await c.Articles.Where(x => EF.Constant(ids).Contains(x.Id)).OrderBy(x => x.Id).Select(x => x.Title).ToListAsync();
        },
        ["by the id of the principal"] = async (c, a) => await c.Comments.Where(x => x.ArticleId == a.Articles[1].Id).OrderBy(x => x.Id).Select(x => x.Text).ToListAsync(),
        ["by the principal's id through a navigation"] = async (c, a) => await c.Comments.Where(x => x.Article!.Id == a.Articles[1].Id).OrderBy(x => x.Id).Select(x => x.Text).ToListAsync(),
        ["join on ids"] = async (c, a) => await c.Articles.Where(x => x.AuthorId == a.Id).Join(c.Comments, x => x.Id, y => y.ArticleId, (x, y) => new { x.Title, y.Text, y.Id }).OrderBy(x => x.Id).ToListAsync(),
        ["Include by the key"] = async (c, a) => await c.Authors.Include(x => x.Articles.OrderBy(y => y.Id)).ThenInclude(y => y.Comments.OrderBy(z => z.Id)).SingleAsync(x => x.Id == a.Id),
        ["Include of a page"] = async (c, a) => await c.Articles.Include(x => x.Comments.OrderBy(y => y.Id)).Where(x => x.AuthorId == a.Id).OrderBy(x => x.Id).Take(1).ToListAsync(),
        ["Include by id"] = async (c, a) => await c.Articles.Include(x => x.Comments.OrderBy(y => y.Id)).Include(x => x.Topics).SingleAsync(x => x.Id == a.Articles[0].Id),
        ["Include by id, split"] = async (c, a) => await c.Articles.AsSplitQuery().Include(x => x.Comments.OrderBy(y => y.Id)).SingleAsync(x => x.Id == a.Articles[0].Id),
        ["the principal of an id"] = async (c, a) => await c.Comments.Where(x => x.Id == a.Articles[0].Comments[0].Id).Select(x => x.Article!.Title).SingleAsync(),
        ["a subquery by id"] = async (c, a) => await c.Articles.Where(x => x.Id == a.Articles[0].Id).Select(x => x.Comments.Count).SingleAsync(),
        ["explicit loading"] = async (c, a) =>
        {
            var article = await c.Articles.SingleAsync(x => x.Id == a.Articles[0].Id);
            await c.Entry(article).Collection(x => x.Comments).Query().OrderBy(x => x.Id).LoadAsync();
            return article;
        },
        ["lazy loading"] = async (c, a) =>
        {
            var comment = await c.Comments.SingleAsync(x => x.Id == a.Articles[0].Comments[0].Id);
            return comment.Article!.Title;
        },
        ["reload"] = async (c, a) =>
        {
            var article = await c.Articles.SingleAsync(x => x.Id == a.Articles[0].Id);
            article.Title = "changed in memory";
            await c.Entry(article).ReloadAsync();
            return article;
        },
        ["query filter"] = async (c, a) => await c.Articles.Where(x => x.AuthorId == a.Id).Select(x => x.Title).OrderBy(x => x).ToListAsync(),
        ["typed id and enum"] = async (c, a) => await c.Seats.Where(s => s.Region == Region.Here && s.Room == new RoomId(3)).ToListAsync(),
        ["typed id and enum, as parameters"] = async (c, a) =>
        {
            var (region, room) = (Region.There, new RoomId(a.Name.Length));
            return await c.Seats.Where(s => s.Region == region && s.Room == room).ToListAsync();
        },
        ["Find by a composite key with a typed id"] = async (c, a) => await c.Seats.FindAsync(Region.There, new RoomId(3), 3),
        ["alternatives that lead to one shard"] = async (c, a) => await c.Articles.Where(x => (x.AuthorId == a.Id && x.Title == "title 0") || (x.AuthorId == a.Id && x.Title == "title 1")).OrderBy(x => x.Id).ToListAsync(),
        ["equal through another column"] = async (c, a) => await c.Seats.Join(c.Seats, s => new { s.Region, s.Room }, t => new { t.Region, t.Room }, (s, t) => new { s, t }).Where(x => x.s.Region == Region.Here && x.s.Room == new RoomId(4)).Select(x => x.t.Label).ToListAsync(),
        ["ExecuteUpdate by id"] = async (c, a) => await c.Articles.Where(x => x.Id == a.Articles[0].Id).ExecuteUpdateAsync(s => s.SetProperty(x => x.Title, "title 0")),
        ["ExecuteDelete by id"] = async (c, a) => await c.Comments.Where(x => x.Id == a.Articles[0].Comments[0].Id && x.Text == "nothing").ExecuteDeleteAsync(),
    };

    public static TheoryData<string> Queries => [.. _queries.Keys];

    [Theory]
    [MemberData(nameof(Queries))]
    public async Task A_query_by_ids_or_keys_of_any_form_gives_what_one_database_gives(string query)
    {
        foreach (var author in databases.Authors)
        {
            await using var whole = databases.Whole();
            await using var spanning = databases.Sharded.CreateDbContext();
            Assert.Equal(Json(await _queries[query](whole, author)), Json(await _queries[query](spanning, author)));
        }
    }

    [Fact]
    public async Task An_id_leads_to_the_shard_of_its_key_however_the_entity_was_added()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var author = databases.Authors[3];
        var (added, inRange, inGraph, awaited) = (Draft(), Draft(), Draft(), Draft());
        context.Add(added);
        context.AddRange(inRange, Draft());
        var known = await context.Authors.SingleAsync(a => a.Id == author.Id);
        inGraph.AuthorId = Guid.Empty;
        known.Articles.Add(inGraph);
        await context.AddAsync(awaited);
        await context.SaveChangesAsync();
        Assert.All(new[] { added, inRange, inGraph, awaited }, a => Assert.Equal(ShardedId.BucketOf(author.Articles[0].Id), ShardedId.BucketOf(a.Id)));
        await using var reader = databases.Sharded.CreateDbContext();
        foreach (var article in new[] { added, inRange, inGraph, awaited })
        {
            Assert.Equal(author.Id, (await reader.Articles.FindAsync(article.Id))!.AuthorId);
            Assert.Equal(databases.ShardOf(author), reader.Database.LastRouting()!.Value.Shard);
        }

        await reader.Articles.Where(a => a.AuthorId == author.Id && a.Title == "draft").ExecuteDeleteAsync();

        Article Draft() => new() { AuthorId = author.Id, Title = "draft" };
    }

    [Fact]
    public async Task What_is_stored_as_JSON_is_saved_with_its_owner()
    {
        foreach (var author in databases.Authors.Take(6))
        {
            await using var context = databases.Sharded.CreateDbContext();
            var article = new Article { AuthorId = author.Id, Title = "in columns", Layout = new Layout { Columns = 2 } };
            context.Add(article);
            await context.SaveChangesAsync();
            article.Layout.Columns = 3;
            await context.SaveChangesAsync();
            Assert.Equal(databases.ShardOf(author), context.Database.LastRouting()!.Value.Shard);
            var columns = context.Articles.Where(a => a.Id == article.Id).Select(a => a.Layout!.Columns);
            Assert.Equal(3, await columns.SingleAsync());
            article.Layout = null;
            await context.SaveChangesAsync();
            context.Remove(article);
            await context.SaveChangesAsync();

            var seat = new Seat { Region = Region.There, Room = new RoomId(100 + databases.Authors.IndexOf(author)), Number = 1, Marks = { new Mark { Text = "a" } } };
            context.Add(seat);
            await context.SaveChangesAsync();
            seat.Marks.Add(new Mark { Text = "b" });
            await context.SaveChangesAsync();
            seat.Marks.RemoveAt(1);
            await context.SaveChangesAsync();
            var marks = await context.Seats.AsNoTracking().Where(s => s.Region == seat.Region && s.Room == seat.Room).Select(s => s.Marks).SingleAsync();
            Assert.Equal("a", Assert.Single(marks).Text);
            context.Remove(seat);
            await context.SaveChangesAsync();
        }
    }

    [Fact]
    public async Task The_shard_key_of_a_saved_row_cannot_be_changed_though_it_stands_outside_the_primary_key()
    {
        var (one, other) = databases.TwoOfDifferentShards();
        await using var context = databases.Sharded.CreateDbContext();
        var article = await context.Articles.SingleAsync(a => a.Id == one.Articles[0].Id);
        article.AuthorId = other.Id;
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.SaveChangesAsync());
        Assert.Contains("The property 'Article.AuthorId' is defined as read-only after it has been saved", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(article.Id, await context.Articles.Where(a => a.Id == article.Id && a.AuthorId == one.Id).Select(a => a.Id).SingleAsync());
    }

    [Fact]
    public async Task A_migration_that_changes_the_shard_key_of_rows_is_refused()
    {
        await using var context = databases.Sharded.CreateDbContextOnShard("first");
        var generator = context.GetService<IMigrationsSqlGenerator>();
        var refusal = Assert.Throws<InvalidOperationException>(() => generator.Generate([Update("AuthorId", Guid.NewGuid())]));
        Assert.Contains("A migration changes the shard key 'AuthorId' of rows of 'Articles'", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("UPDATE \"Articles\" SET \"Title\"", Assert.Single(generator.Generate([Update("Title", "new")])).CommandText, StringComparison.Ordinal);

        static UpdateDataOperation Update(string column, object value) => new()
        {
            Table = "Articles",
            KeyColumns = ["Id"],
            KeyColumnTypes = ["bigint"],
            KeyValues = new object[,] { { 5L } },
            Columns = [column],
            ColumnTypes = [value is Guid ? "uuid" : "text"],
            Values = new object[,] { { value } },
        };
    }

    [Fact]
    public async Task Ids_of_several_shards_are_asked_for_there()
    {
        var (one, other) = databases.TwoOfDifferentShards();
        await using var context = databases.Sharded.CreateDbContext();
        long[] ids = [one.Articles[0].Id, other.Articles[0].Id];
        Assert.Equal(ids.Order(), (await context.Articles.Where(a => ids.Contains(a.Id)).OrderBy(a => a.Id).ToListAsync()).Select(a => a.Id));
        Assert.Equal(string.Join(", ", new[] { databases.ShardOf(one), databases.ShardOf(other) }.Order(StringComparer.Ordinal)), context.Database.LastRouting()!.Value.Shard);
        var first = ids[0];
        Assert.Contains(
            $"Articles: an id = @first -> bucket {ShardedId.BucketOf(first)} of 1024 -> shard '{databases.ShardOf(one)}'",
            context.Articles.Where(a => a.Id == first).ToRoutingString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_entity_without_its_shard_key_gets_no_id()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var refusal = Assert.Throws<InvalidOperationException>(() => context.Add(new Article { Title = "nobody's" }));
        Assert.Contains("An id of 'Article' was to be made for 'Id' before its shard key 'AuthorId' was set", refusal.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await context.AddAsync(new Article { Title = "nobody's" }));
    }

    [Fact]
    public async Task A_row_with_the_id_of_another_bucket_is_refused_before_anything_is_sent()
    {
        var (one, other) = databases.TwoOfDifferentShards();
        await using var context = databases.Sharded.CreateDbContext();
        context.Add(new Article { AuthorId = one.Id, Id = other.Articles[0].Id, Title = "misplaced" });
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.SaveChangesAsync());
        Assert.Contains("'Article' whose 'Id' carries another bucket than its shard key 'AuthorId'", refusal.Message, StringComparison.Ordinal);
        context.ChangeTracker.Clear();
        context.Add(new Comment { AuthorId = one.Id, ArticleId = other.Articles[0].Id, Text = "misplaced" });
        refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.SaveChangesAsync());
        Assert.Contains("'Comment' whose 'ArticleId' carries another bucket", refusal.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<CrossShardException>(() => context.Comments.Where(c => c.AuthorId == one.Id).ExecuteUpdateAsync(s => s.SetProperty(c => c.ArticleId, other.Articles[0].Id)));
    }

    [Fact]
    public async Task Keys_of_type_Guid_are_made_by_the_client_in_the_order_of_time()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var author = new Author { Name = "new" };
        context.Add(author);
        Assert.Equal(7, author.Id.Version);
    }

    [Fact]
    public async Task Rows_that_only_have_the_id_of_their_owner_are_verified_as_well()
    {
        var (one, other) = databases.TwoOfDifferentShards();
        await using var context = databases.Sharded.CreateDbContext();
        var placement = await context.Database.VerifyPlacementAsync();
        Assert.True(placement.IsRight, placement.ToString());
        Assert.Equal(12 * 6, placement.Tables.Where(t => t.Table == "Note").Sum(t => t.Rows));
        await using var bound = databases.Sharded.CreateDbContext(ShardKey.Of(one.Id));
        var stray =
            $"SET session_replication_role = replica; INSERT INTO \"Note\" (\"ArticleId\", \"Number\", \"Text\") VALUES ({other.Articles[0].Id}, 9, 'stray'); RESET session_replication_role";
        await bound.Database.ExecuteSqlRawAsync(stray);
        placement = await context.Database.VerifyPlacementAsync();
        var found = Assert.Single(placement.Tables, t => t.Misplaced > 0);
        Assert.Equal(("Note", 1, databases.ShardOf(other)), (found.Table, found.Misplaced, found.Examples[0].BelongsTo));
        await bound.Database.ExecuteSqlRawAsync("DELETE FROM \"Note\" WHERE \"Number\" = 9");
    }

    [Fact]
    public async Task A_context_without_shards_says_that_it_makes_no_ids()
    {
        await using var whole = databases.Whole();
        var refusal = Assert.Throws<InvalidOperationException>(() => whole.Add(new Article { AuthorId = Guid.NewGuid(), Title = "lost" }));
        Assert.Contains("HasShardedId(), but its context has no shards. Call UseSharding(...)", refusal.Message, StringComparison.Ordinal);
    }

    private static string Json(object? value) => JsonSerializer.Serialize(value, _json);
}
