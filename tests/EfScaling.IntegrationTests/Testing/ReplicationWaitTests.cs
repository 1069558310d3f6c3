using EfScaling.Testing;
using EfScaling.Testing.Postgres;
using Npgsql;

namespace EfScaling.IntegrationTests.Testing;

/// <summary>Waiting until standbys have what the primary has.</summary>
public sealed class ReplicationWaitTests
{
    private const ulong Segment = 16 * 1024 * 1024;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0x4000028, 0x4000000)]
    [InlineData(0x4002018, 0x4002000)]
    [InlineData(0x4000018, 0x4000000)]
    [InlineData(0x4000050, 0x4000050)]
    [InlineData(0x4002028, 0x4002028)]
    public void A_position_behind_a_page_header_becomes_the_start_of_the_page(ulong reported, ulong reachable) =>
        Assert.Equal(reachable, InsertPosition.Normalise(reported, Segment, 8192));

    [ServerFact]
    public async Task Ends_at_a_segment_boundary_and_with_unflushed_and_open_transactions()
    {
        await using var cluster = await PostgresCluster.StartAsync(new() { Standbys = 1 }, Ct);
        await cluster.Primary.ExecuteAsync("CREATE TABLE t (id int)", Ct);

        await cluster.Primary.ScalarAsync<string>("SELECT pg_switch_wal()::text", Ct);
        await cluster.WaitForReplicationAsync(TimeSpan.FromSeconds(5), Ct);

        await cluster.Primary.ExecuteAsync("SET synchronous_commit = off; INSERT INTO t VALUES (1)", Ct);
        await cluster.WaitForReplicationAsync(TimeSpan.FromSeconds(5), Ct);
        Assert.Equal(1, await cluster.Standbys[0].ScalarAsync<long>("SELECT count(*) FROM t", Ct));

        await using var source = NpgsqlDataSource.Create(cluster.Primary.ConnectionString);
        await using var connection = await source.OpenConnectionAsync(Ct);
        await using var transaction = await connection.BeginTransactionAsync(Ct);
        await using var insert = new NpgsqlCommand("INSERT INTO t VALUES (2)", connection, transaction);
        await insert.ExecuteNonQueryAsync(Ct);
        await cluster.WaitForReplicationAsync(TimeSpan.FromSeconds(5), Ct);
    }

    [ServerFact]
    public async Task Leaves_out_stopped_standbys_and_names_the_one_that_does_not_replay()
    {
        await using var cluster = await PostgresCluster.StartAsync(cancellationToken: Ct);
        await cluster.Standbys[0].StopAsync(Ct);
        await cluster.Primary.ExecuteAsync("CREATE TABLE t (id int)", Ct);
        await cluster.WaitForReplicationAsync(TimeSpan.FromSeconds(5), Ct);

        await cluster.Standbys[1].SuspendAsync();
        await cluster.Primary.ExecuteAsync("INSERT INTO t VALUES (1)", Ct);
        var late = await Assert.ThrowsAsync<TimeoutException>(() => cluster.WaitForReplicationAsync(TimeSpan.FromMilliseconds(300), Ct));

        Assert.Contains("standby2", late.Message, StringComparison.Ordinal);
    }
}
