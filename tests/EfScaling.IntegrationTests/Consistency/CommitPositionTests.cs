using System.Data.Common;
using System.Transactions;
using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Replication;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;
using static EfScaling.IntegrationTests.Clusters.ReplicaReads;

namespace EfScaling.IntegrationTests.Consistency;

/// <summary>What a context knows of the position of its writes, after commits that succeed, fail, and are rolled back.</summary>
public sealed class CommitPositionTests(ClusterFixture fixture)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Commit_of_several_rows_tells_its_position_without_another_round_trip(bool isAsync)
    {
        await using var counter = RoundTripCounter.Start(fixture.Cluster.Primary.Port);
        var options = OptionsAt(counter.Port);
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        await SaveTwoAsync(context, isAsync);
        var before = await PositionAsync();
        var roundTrips = counter.Count;
        await SaveTwoAsync(context, isAsync);
        var saving = counter.Count - roundTrips;
        var token = isAsync ? await context.Database.GetConsistencyTokenAsync() : context.Database.GetConsistencyToken();
        var after = await PositionAsync();

        Assert.Equal(0, counter.Count - roundTrips - saving);
        var position = Assert.Single(token.Positions);
        Assert.True(before < position.Position && position.Position <= after, $"{before} {position.Position} {after}");
        Assert.Equal(ShardPosition.Nowhere, position.SeenOn);

        // BEGIN goes with the first statement, and so the two statements of plain EF are two round trips.
        Assert.Equal(2, saving);
    }

    [Fact]
    public async Task Replica_that_has_replayed_the_position_shows_the_commit()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString);
        await ServesAsync(options);
        await using var standby = NpgsqlDataSource.Create(cluster.Standbys[0].ConnectionString);
        for (var round = 1; round <= 50; round++)
        {
            await using var context = new BlogContext(options);
            await SaveTwoAsync(context, isAsync: true);
            var position = Position(await context.Database.GetConsistencyTokenAsync());

            // Asked at once and again: a position before the commit record is reached before the rows are there.
            long rows = 0;
            await Eventually.ThatAsync(
                async () =>
                {
                    await using var command = standby.CreateCommand($"SELECT pg_last_wal_replay_lsn() >= '{position}', (SELECT count(*) FROM \"Notes\")");
                    await using var reader = await command.ExecuteReaderAsync();
                    await reader.ReadAsync();
                    rows = reader.GetInt64(1);
                    return reader.GetBoolean(0);
                },
                Patience,
                "the position is replayed");

            // In one statement the rows are counted in a snapshot that is older than the position; it may lack the newest commit and nothing else.
            Assert.InRange(rows, 2 * (round - 1), 2 * round);
            Assert.Equal(2L * round, await cluster.Standbys[0].ScalarAsync<long>("SELECT count(*) FROM \"Notes\""));
        }
    }

    [Fact]
    public async Task Transaction_of_the_application_tells_its_position_and_one_that_is_rolled_back_none()
    {
        var options = OptionsAt(fixture.Cluster.Primary.Port);
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        await using (var transaction = await context.Database.BeginTransactionAsync())
        {
            context.Notes.Add(new Note { Text = "rolled back" });
            await context.SaveChangesAsync();
            await transaction.RollbackAsync();
        }

        context.ChangeTracker.Clear();
        var afterRollback = await context.Database.GetConsistencyTokenAsync();
        await using (var transaction = await context.Database.BeginTransactionAsync())
        {
            context.Notes.Add(new Note { Text = "kept" });
            await context.SaveChangesAsync();
            await transaction.CommitAsync();
        }

        var afterCommit = await context.Database.GetConsistencyTokenAsync();
        Assert.True(Position(afterRollback) < Position(afterCommit));
        Assert.Equal(afterCommit, afterRollback.Merge(afterCommit));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Commit_that_fails_fails_as_it_does_without_and_leaves_the_context_usable(bool isAsync)
    {
        await fixture.Cluster.Primary.ExecuteAsync(
            "CREATE TABLE IF NOT EXISTS once (id int); ALTER TABLE once DROP CONSTRAINT IF EXISTS once_id; DELETE FROM once; ALTER TABLE once ADD CONSTRAINT once_id UNIQUE (id) DEFERRABLE INITIALLY DEFERRED");
        var options = OptionsAt(fixture.Cluster.Primary.Port);
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        await using (var transaction = await context.Database.BeginTransactionAsync())
        {
            await context.Database.ExecuteSqlRawAsync("INSERT INTO once VALUES (1), (1)");
            var failure = isAsync
                ? await Assert.ThrowsAsync<PostgresException>(() => transaction.CommitAsync())
                : Assert.Throws<PostgresException>(transaction.Commit);
            Assert.Equal(PostgresErrorCodes.UniqueViolation, failure.SqlState);
        }

        Assert.Equal(0, await fixture.Cluster.Primary.ScalarAsync<long>("SELECT count(*) FROM once"));
        await SaveTwoAsync(context, isAsync);
        Assert.NotEqual(WalPosition.None, Position(await context.Database.GetConsistencyTokenAsync()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Commit_of_an_aborted_transaction_ends_as_it_does_without(bool isAsync)
    {
        var without = await EndAsync(new DbContextOptionsBuilder<BlogContext>().UseNpgsql(fixture.Cluster.Primary.ConnectionString).Options);
        Assert.Equal(without, await EndAsync(OptionsAt(fixture.Cluster.Primary.Port)));

        async Task<Type?> EndAsync(DbContextOptions<BlogContext> options)
        {
            await using var context = new BlogContext(options);
            await using var transaction = await context.Database.BeginTransactionAsync();
            await Assert.ThrowsAsync<PostgresException>(() => context.Database.ExecuteSqlRawAsync("SELECT 1 / 0"));
            var failure = isAsync ? await Record.ExceptionAsync(() => transaction.CommitAsync()) : Record.Exception(transaction.Commit);
            return failure?.GetType();
        }
    }

    [Fact]
    public async Task Write_on_the_connection_after_a_commit_is_not_covered_by_its_position()
    {
        var options = OptionsAt(fixture.Cluster.Primary.Port);
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        await context.Database.OpenConnectionAsync();
        await SaveTwoAsync(context, isAsync: true);
        await using (var command = context.Database.GetDbConnection().CreateCommand())
        {
            command.CommandText = "INSERT INTO \"Notes\" (\"Text\") VALUES ('beside EF')";
            await command.ExecuteNonQueryAsync();
        }

        var written = await PositionAsync();
        await context.Database.CloseConnectionAsync();

        Assert.True(Position(await context.Database.GetConsistencyTokenAsync()) >= written);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Single_row_asks_for_its_position_when_somebody_wants_to_know(bool isAsync)
    {
        await using var counter = RoundTripCounter.Start(fixture.Cluster.Primary.Port);
        var options = OptionsAt(counter.Port);
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        context.Notes.Add(new Note { Text = "first, opens the connection" });
        await context.SaveChangesAsync();

        var before = counter.Count;
        context.Notes.Add(new Note { Text = "one row" });
        await context.SaveChangesAsync();
        Assert.Equal(1, counter.Count - before);
        var written = await PositionAsync();

        var token = isAsync ? await context.Database.GetConsistencyTokenAsync() : context.Database.GetConsistencyToken();
        Assert.True(Position(token) >= written);
        Assert.Equal(token, await context.Database.GetConsistencyTokenAsync());
    }

    [Fact]
    public async Task When_the_primary_is_gone_the_token_says_that_more_was_written_and_nothing_throws()
    {
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", fixture.Cluster.Primary.Port);
        var options = OptionsAt(proxy.Port);
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        context.Notes.Add(new Note { Text = "one row" });
        await context.SaveChangesAsync();
        await proxy.CutAsync();

        var token = await context.Database.GetConsistencyTokenAsync();

        Assert.True(token.IsUnknown || token.Positions.Single().SeenOn == ShardPosition.Anywhere, token.ToString());
    }

    [Fact]
    public async Task Commit_of_a_context_whose_cluster_was_never_measured_is_seen_all_the_same()
    {
        var options = OptionsAt(fixture.Cluster.Primary.Port, r => r.RampUp(TimeSpan.FromSeconds(4.321)));
        await using var context = new BlogContext(options);
        await SaveTwoAsync(context, isAsync: true);

        var written = await PositionAsync();
        Assert.True(Position(await context.Database.GetConsistencyTokenAsync()) >= written);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Interceptor_of_the_application_still_keeps_a_transaction_from_being_committed(bool isAsync)
    {
        var options = new DbContextOptionsBuilder<BlogContext>(Options(fixture.Cluster, fixture.Cluster.Standbys[0].ConnectionString)).AddInterceptors(new Veto()).Options;
        await using var context = new BlogContext(options);
        var marker = Guid.NewGuid().ToString();
        context.Notes.AddRange(new Note { Text = marker }, new Note { Text = marker });
        if (isAsync)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => context.SaveChangesAsync());
        }
        else
        {
            Assert.ThrowsAny<Exception>(() => context.SaveChanges());
        }

        Assert.Equal(0, await fixture.Cluster.Primary.ScalarAsync<long>($"SELECT count(*) FROM \"Notes\" WHERE \"Text\" = '{marker}'"));
    }

    [Fact]
    public async Task Commit_in_another_database_tells_no_position_of_this_one()
    {
        await using var other = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 });
        await BlogContext.CreateSchemaAsync(other);
        for (var segment = 0; segment < 4; segment++)
        {
            await other.Primary.ExecuteAsync($"SELECT pg_switch_wal(); CREATE TABLE segment{segment} ()");
        }

        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString);
        await ServesAsync(options);
        using var session = ConsistencySession.Begin();
        await using (var context = new BlogContext(options))
        {
            context.Database.SetConnectionString(other.Primary.ConnectionString);
            context.Notes.AddRange(new Note { Text = "x" }, new Note { Text = "x" });
            await context.SaveChangesAsync();
        }

        var token = await session.GetTokenAsync();
        var now = new WalPosition((ulong)(await cluster.Primary.ScalarAsync<NpgsqlTypes.NpgsqlLogSequenceNumber>("SELECT pg_current_wal_insert_lsn()")));
        Assert.All(token.Positions, p => Assert.True(p.Position <= now, $"{p.Position} {now}"));
    }

    [Fact]
    public async Task Position_right_behind_a_page_header_is_taken_back_to_the_page_before()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString);
        await ServesAsync(options);
        await using var context = new BlogContext(options);

        // A transaction of a known size, filled up so that its commit ends where the page does; whatever else writes makes it miss.
        var before = await InsertPositionAsync();
        await WriteAsync(0);
        var size = (await InsertPositionAsync()).Value - before.Value;
        const ulong PageSize = 8192;
        var isFound = false;
        for (var round = 0; round < 200 && !isFound; round++)
        {
            var left = PageSize - ((await InsertPositionAsync()).Value % PageSize);
            await WriteAsync(left >= size ? left - size : 0);
            isFound = left >= size && (await InsertPositionAsync()).Value % PageSize == 24;
        }

        Assert.True(isFound);
        Assert.Equal(0UL, Position(await context.Database.GetConsistencyTokenAsync()).Value % PageSize);

        async Task WriteAsync(ulong filling)
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            await context.Database.ExecuteSqlAsync($"SELECT txid_current(), pg_logical_emit_message(false, 'x', repeat('x', {(int)filling}))");
            await transaction.CommitAsync();
        }

        async Task<WalPosition> InsertPositionAsync() =>
            new((ulong)(await cluster.Primary.ScalarAsync<NpgsqlTypes.NpgsqlLogSequenceNumber>("SELECT pg_current_wal_insert_lsn()")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Token_can_be_asked_for_inside_a_transaction_scope(int way)
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        // A second connection in the transaction would have to be prepared, as servers refuse by default.
        await cluster.Primary.ExecuteAsync("ALTER SYSTEM SET max_prepared_transactions = 0");
        await cluster.Primary.RestartAsync();
        await using var source = NpgsqlDataSource.Create(cluster.Primary.ConnectionString);
        await using var replica = NpgsqlDataSource.Create(cluster.Standbys[0].ConnectionString);
        var options = new DbContextOptionsBuilder<BlogContext>().UseNpgsql(source).UseReadReplicas(r => r.AddReplica(replica)).Options;
        await ServesAsync(options);
        var marker = Guid.NewGuid().ToString();
        await using (var context = new BlogContext(options))
        {
            using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            await context.Database.OpenConnectionAsync();
            context.Notes.Add(new Note { Text = marker });
            await context.SaveChangesAsync();
            if (way == 1)
            {
                await context.Database.GetConsistencyTokenAsync();
            }
            else if (way == 2)
            {
                context.Database.GetConsistencyToken();
            }

            scope.Complete();
        }

        Assert.Equal(1, await cluster.Primary.ScalarAsync<long>($"SELECT count(*) FROM \"Notes\" WHERE \"Text\" = '{marker}'"));
    }

    private static WalPosition Position(ConsistencyToken token) => token.Positions.IsEmpty ? WalPosition.None : token.Positions.Single().Position;

    private static async Task SaveTwoAsync(BlogContext context, bool isAsync)
    {
        context.Notes.AddRange(new Note { Text = "first" }, new Note { Text = "second" });
        _ = isAsync ? await context.SaveChangesAsync() : context.SaveChanges();
    }

    private async Task<WalPosition> PositionAsync() =>
        new((ulong)(await fixture.Cluster.Primary.ScalarAsync<NpgsqlTypes.NpgsqlLogSequenceNumber>("SELECT pg_current_wal_lsn()")));

    private DbContextOptions<BlogContext> OptionsAt(int primaryPort, Action<ReplicaOptionsBuilder>? configure = null) =>
        new DbContextOptionsBuilder<BlogContext>()
            .UseNpgsql(At(fixture.Cluster.Primary, primaryPort))
            .UseReadReplicas(r =>
            {
                r.AddReplica(fixture.Cluster.Standbys[0].ConnectionString);
                configure?.Invoke(r);
            })
            .Options;

    private sealed class Veto : DbTransactionInterceptor
    {
        public override InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result) => throw new InvalidOperationException("veto");

        public override ValueTask<InterceptionResult> TransactionCommittingAsync(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default) => throw new InvalidOperationException("veto");
    }
}
