using System.Transactions;
using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Whoever reads after a write was acknowledged sees it, however it was written, in the process that wrote and in another.</summary>
public sealed class CachedWriteTests(ClusterFixture fixture) : IAsyncLifetime
{
    private static readonly Dictionary<string, Func<BlogContext, string, Task>> _writes = new()
    {
        ["SaveChanges"] = async (c, text) =>
        {
            c.Add(new Note { Text = text });
            await c.SaveChangesAsync();
        },
        ["SaveChanges, synchronous"] = (c, text) =>
        {
            c.Add(new Note { Text = text });
            c.SaveChanges();
            return Task.CompletedTask;
        },
        ["SaveChanges of several rows"] = async (c, text) =>
        {
            c.AddRange(new Note { Text = text }, new Note { Text = "other" }, new Tag { Name = text });
            await c.SaveChangesAsync();
        },
        ["ExecuteUpdate"] = async (c, text) =>
        {
            await c.Notes.Where(n => n.Text == "to be updated").ExecuteUpdateAsync(s => s.SetProperty(n => n.Text, text));
        },
        ["ExecuteDelete"] = async (c, text) => await c.Notes.Where(n => n.Text == "to be deleted").ExecuteDeleteAsync(),
        ["SQL"] = async (c, text) => await c.Database.ExecuteSqlAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES ({text})"),
        ["SQL of named tables"] = async (c, text) =>
        {
            using var scope = c.Database.UseWrittenTables<Note>();
            await c.Database.ExecuteSqlAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES ({text})");
        },
        ["SQL that looks like a query"] = async (c, text) =>
            await c.Database.SqlQuery<int>($"INSERT INTO \"Notes\" (\"Text\") VALUES ({text}) RETURNING \"Id\" AS \"Value\"").ToListAsync(),
        ["a transaction"] = async (c, text) =>
        {
            await using var transaction = await c.Database.BeginTransactionAsync();
            c.Add(new Note { Text = text });
            await c.SaveChangesAsync();
            await transaction.CommitAsync();
        },
        ["a synchronous transaction"] = (c, text) =>
        {
            using var transaction = c.Database.BeginTransaction();
            c.Add(new Note { Text = text });
            c.SaveChanges();
            transaction.Commit();
            return Task.CompletedTask;
        },
        ["a transaction with a savepoint rolled back"] = async (c, text) =>
        {
            await using var transaction = await c.Database.BeginTransactionAsync();
            c.Add(new Note { Text = text });
            await c.SaveChangesAsync();
            await transaction.CreateSavepointAsync("here");
            await c.Database.ExecuteSqlAsync($"DELETE FROM \"Tags\" WHERE false");
            await transaction.RollbackToSavepointAsync("here");
            await transaction.CommitAsync();
        },
        ["a transaction whose other write is rolled back to a savepoint"] = async (c, text) =>
        {
            await using var transaction = await c.Database.BeginTransactionAsync();
            c.Add(new Note { Text = text });
            await c.SaveChangesAsync();
            await transaction.CreateSavepointAsync("here");
            await c.Notes.Where(n => n.Text == text).ExecuteDeleteAsync();
            await transaction.RollbackToSavepointAsync("here");
            await transaction.CommitAsync();
        },
        ["a TransactionScope"] = async (c, text) =>
        {
            using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            c.Add(new Note { Text = text });
            await c.SaveChangesAsync();
            scope.Complete();
        },
        ["a TransactionScope that outlives its context"] = async (c, text) =>
        {
            using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            c.Add(new Note { Text = text });
            await c.SaveChangesAsync();
            await c.DisposeAsync();
            scope.Complete();
        },
        ["a transaction of the application"] = async (c, text) =>
        {
            var connection = (NpgsqlConnection)c.Database.GetDbConnection();
            await connection.OpenAsync();
            await using (var transaction = await connection.BeginTransactionAsync())
            {
                await c.Database.UseTransactionAsync(transaction);
                c.Add(new Note { Text = text });
                await c.SaveChangesAsync();
                await transaction.CommitAsync();
                await c.Database.UseTransactionAsync(null);
            }

            await connection.CloseAsync();
        },
    };

    // Each writes one note in the transaction around it, or behind its back.
    private static readonly Dictionary<string, Func<BlogContext, string, Task>> _writesInScope = new()
    {
        ["SaveChanges"] = _writes["SaveChanges"],
        ["SQL"] = _writes["SQL"],
        ["SQL that looks like a query"] = _writes["SQL that looks like a query"],
        ["SQL that looks like a query, synchronous"] = (c, text) =>
        {
            _ = c.Database.SqlQuery<int>($"INSERT INTO \"Notes\" (\"Text\") VALUES ({text}) RETURNING \"Id\" AS \"Value\"").ToList();
            return Task.CompletedTask;
        },
    };

    // Other tests fill the table beyond what a result may hold.
    private int _lastOfOthers;

    public static TheoryData<string> Writes => [.. _writes.Keys];

    public static TheoryData<string> WritesInScope => [.. _writesInScope.Keys];

    public async ValueTask InitializeAsync() => _lastOfOthers = await fixture.Cluster.Primary.ScalarAsync<int>("SELECT coalesce(max(\"Id\"), 0) FROM \"Notes\"");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [MemberData(nameof(Writes))]
    public async Task Is_seen_by_the_next_cached_read(string write)
    {
        await using var redis = await RedisServer.StartAsync();
        var here = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Redis(redis.Endpoint));
        var there = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Redis(redis.Endpoint));
        await fixture.Cluster.Primary.ExecuteAsync("INSERT INTO \"Notes\" (\"Text\") VALUES ('to be updated'), ('to be deleted')");
        await using (var context = here.Context())
        {
            await context.Database.InvalidateCacheAsync<Note>();
        }

        foreach (var (process, name) in new[] { (here, "the process that wrote"), (there, "another process") })
        {
            await CachedAsync(process);
            await using (var context = here.Context())
            {
                await _writes[write](context, $"{write} {Guid.NewGuid():N}");
            }

            var truth = await TruthAsync();
            Assert.True(truth == await NotesAsync(process), $"{name} read something older than the write");
            await fixture.Cluster.Primary.ExecuteAsync("INSERT INTO \"Notes\" (\"Text\") VALUES ('to be updated'), ('to be deleted')");
            await using (var context = here.Context())
            {
                await context.Database.InvalidateCacheAsync<Note>();
            }
        }
    }

    [Theory]
    [MemberData(nameof(WritesInScope))]
    public async Task In_a_TransactionScope_is_seen_once_that_is_complete_whatever_was_read_meanwhile(string write)
    {
        var process = await CachedBlogs.StartAsync(fixture.Cluster);
        await CachedAsync(process);
        using (var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await using var context = process.Context();
            await _writesInScope[write](context, $"{write} {Guid.NewGuid():N}");
            using (new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled))
            {
                await NotesAsync(process);
                await NotesAsync(process);
            }

            scope.Complete();
        }

        Assert.Equal(await TruthAsync(), await NotesAsync(process));
    }

    [Theory]
    [MemberData(nameof(WritesInScope))]
    public async Task Of_a_connection_that_takes_no_part_in_a_TransactionScope_is_seen_although_that_is_rolled_back(string write)
    {
        await using var redis = await RedisServer.StartAsync();
        var process = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Redis(redis.Endpoint).LocalMemory(0));
        var apart = await CachedBlogs.StartAsync(
            fixture.Cluster, c => c.Redis(redis.Endpoint).LocalMemory(0), o => o.UseNpgsql(fixture.Cluster.Primary.ConnectionString + ";Enlist=false"));
        await CachedAsync(process);
        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await using var context = apart.Context();
            await _writesInScope[write](context, $"{write} {Guid.NewGuid():N}");
        }

        Assert.Equal(await TruthAsync(), await NotesAsync(process));
    }

    [Fact]
    public async Task A_migration_of_data_alone_is_seen()
    {
        var process = await CachedBlogs.StartAsync(fixture.Cluster);
        await CachedAsync(process);
        await using (var context = process.Context())
        {
            var generator = context.GetService<IMigrationsSqlGenerator>();
            var commands = generator.Generate([new SqlOperation { Sql = $"INSERT INTO \"Notes\" (\"Text\") VALUES ('{Guid.NewGuid():N}')" }]);
            await context.GetService<IMigrationCommandExecutor>().ExecuteNonQueryAsync(commands, context.GetService<IRelationalConnection>());
        }

        Assert.Equal(await TruthAsync(), await NotesAsync(process));
    }

    [Fact]
    public async Task To_ask_whether_the_server_is_there_leaves_results_as_they_are()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await CachedAsync(blogs);
        await using (var context = blogs.Context())
        {
            Assert.True(await context.Database.CanConnectAsync());
        }

        Assert.Equal(CacheOutcome.LocalHit, await blogs.OutcomeAsync(c => OwnNotes(c).Cacheable().ToListAsync()));
    }

    [Fact]
    public async Task A_connection_that_breaks_under_SQL_that_looks_like_a_query_leaves_it_in_doubt()
    {
        var process = await CachedBlogs.StartAsync(fixture.Cluster);
        await CachedAsync(process);
        await using (var context = process.Context())
        {
            await Assert.ThrowsAnyAsync<Exception>(() => context.Database.SqlQuery<int>(
                $"INSERT INTO \"Notes\" (\"Text\") SELECT pg_terminate_backend(pg_backend_pid())::text RETURNING \"Id\" AS \"Value\"").ToListAsync());
        }

        Assert.True(await process.OutcomeAsync(c => OwnNotes(c).Cacheable().ToListAsync()) is CacheOutcome.WriteUnderWay);
    }

    [Fact]
    public async Task A_rollback_leaves_results_as_they_are()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await CachedAsync(blogs);
        await using (var context = blogs.Context())
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            context.Add(new Note { Text = "never" });
            await context.SaveChangesAsync();
            Assert.Equal(CacheOutcome.WriteUnderWay, await blogs.OutcomeAsync(c => OwnNotes(c).Cacheable().ToListAsync()));
            await transaction.RollbackAsync();
        }

        Assert.Equal(CacheOutcome.LocalHit, await blogs.OutcomeAsync(c => OwnNotes(c).Cacheable().ToListAsync()));
    }

    [Fact]
    public async Task A_write_leaves_results_of_other_tables_as_they_are()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await CachedAsync(blogs);
        await using (var context = blogs.Context())
        {
            context.Add(new Tag { Name = "unrelated" });
            await context.SaveChangesAsync();
        }

        Assert.Equal(CacheOutcome.LocalHit, await blogs.OutcomeAsync(c => OwnNotes(c).Cacheable().ToListAsync()));
        Assert.True(await blogs.OutcomeAsync(async c =>
        {
            await c.Tags.Where(t => t.Id == -1).Cacheable(TimeSpan.FromMinutes(1)).ToListAsync();
            return 0;
        }) is CacheOutcome.Stale or CacheOutcome.Absent);
    }

    [Fact]
    public async Task A_delete_that_the_database_cascades_is_seen_in_the_other_table()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        int id;
        await using (var context = blogs.Context())
        {
            var blog = new Blog
            {
                Name = "short", Author = new Author { Name = "a" }, Settings = new BlogSettings { Theme = "t" }, Posts = [new Post { Title = "gone soon" }],
            };
            context.Add(blog);
            await context.SaveChangesAsync();
            id = blog.Id;
        }

        await using (var context = blogs.Context())
        {
            Assert.Equal(1, await context.Posts.Cacheable().CountAsync(p => p.BlogId == id));
            Assert.Equal(1, await context.Posts.Cacheable().CountAsync(p => p.BlogId == id));

            // The posts are not loaded: the database removes them.
            await context.Blogs.Where(b => b.Id == id).ExecuteDeleteAsync();
            Assert.Equal(0, await context.Posts.Cacheable().CountAsync(p => p.BlogId == id));
        }
    }

    [Fact]
    public async Task A_tag_makes_its_results_old()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        Assert.Equal(CacheOutcome.Absent, await blogs.OutcomeAsync(c => c.Tags.WithCacheTag("front page").Cacheable().ToListAsync()));
        Assert.Equal(CacheOutcome.LocalHit, await blogs.OutcomeAsync(c => c.Tags.WithCacheTag("front page").Cacheable().ToListAsync()));
        await using (var context = blogs.Context())
        {
            await context.Database.InvalidateCacheTagsAsync(["front page"]);
        }

        // A result reaches the store a moment after it was read.
        Assert.True(await blogs.OutcomeAsync(c => c.Tags.WithCacheTag("front page").Cacheable().ToListAsync()) is CacheOutcome.Stale or CacheOutcome.Absent);
    }

    private async Task CachedAsync(CachedBlogs process)
    {
        await Eventually.ThatAsync(
            async () =>
            {
                process.Log.Clear();
                await NotesAsync(process);
                return process.Log.Sql.Count == 0;
            },
            TimeSpan.FromSeconds(10),
            "the notes are cached");
    }

    private async Task<string> NotesAsync(CachedBlogs process)
    {
        await using var context = process.Context();
        return string.Join('\n', (await OwnNotes(context).Cacheable().ToListAsync()).Select(n => n.Id + n.Text));
    }

    private IQueryable<Note> OwnNotes(BlogContext context) => context.Notes.Where(n => n.Id > _lastOfOthers).OrderBy(n => n.Id);

    private async Task<string> TruthAsync()
    {
        await using var context = new BlogContext(new DbContextOptionsBuilder<BlogContext>().UseNpgsql(fixture.Cluster.Primary.ConnectionString).Options);
        return string.Join('\n', (await OwnNotes(context).ToListAsync()).Select(n => n.Id + n.Text));
    }
}
