using System.Diagnostics;
using EfScaling.Testing;
using Npgsql;

namespace EfScaling.IntegrationTests.Testing;

/// <summary>What a started cluster is made of.</summary>
public sealed class PostgresClusterTests(ITestOutputHelper output)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [ServerFact]
    public async Task Starts_a_primary_and_two_streaming_standbys()
    {
        // Once before, so that the measured start does not include initdb.
        await using (await PostgresCluster.StartAsync(new() { Standbys = 0 }, Ct))
        {
        }

        var start = Stopwatch.GetTimestamp();
        await using var cluster = await PostgresCluster.StartAsync(cancellationToken: Ct);
        output.WriteLine($"Started a primary with two standbys in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms.");

        Assert.Equal(["primary", "standby1", "standby2"], cluster.Servers.Select(server => server.Name));
        Assert.Equal(2, await cluster.Primary.ScalarAsync<long>("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", Ct));

        await cluster.Primary.ExecuteAsync("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 1000)", Ct);
        await cluster.WaitForReplicationAsync(cancellationToken: Ct);
        foreach (var standby in cluster.Standbys)
        {
            Assert.True(await standby.ScalarAsync<bool>("SELECT pg_is_in_recovery()", Ct));
            Assert.Equal(1000, await standby.ScalarAsync<long>("SELECT count(*) FROM t", Ct));
        }
    }

    [ServerFact]
    public async Task Two_clusters_at_once_have_their_own_identifiers_ports_and_passwords()
    {
        var clusters = await Task.WhenAll(
            PostgresCluster.StartAsync(new() { Standbys = 1 }, Ct), PostgresCluster.StartAsync(new() { Standbys = 1 }, Ct));
        await using var first = clusters[0];
        await using var second = clusters[1];

        const string query = "SELECT system_identifier FROM pg_control_system()";
        var identifier = await first.Primary.ScalarAsync<long>(query, Ct);
        Assert.Equal(identifier, await first.Standbys[0].ScalarAsync<long>(query, Ct));
        Assert.NotEqual(identifier, await second.Primary.ScalarAsync<long>(query, Ct));
        Assert.Equal(4, first.Servers.Concat(second.Servers).Select(server => server.Port).Distinct().Count());

        var foreign = new NpgsqlConnectionStringBuilder(first.Primary.ConnectionString) { Port = second.Primary.Port, Pooling = false };
        await using var connection = new NpgsqlConnection(foreign.ConnectionString);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => connection.OpenAsync(Ct));
        Assert.Equal(PostgresErrorCodes.InvalidPassword, refused.SqlState);
    }

    [ServerFact]
    public async Task Runs_as_an_ordinary_user_in_its_own_folder_and_leaves_nothing()
    {
        string folder;
        int process;
        await using (var cluster = await PostgresCluster.StartAsync(new() { Standbys = 1 }, Ct))
        {
            folder = cluster.Folder;
            process = cluster.Primary.ProcessId;
            Assert.StartsWith(folder, await cluster.Primary.ScalarAsync<string>("SELECT current_setting('data_directory')", Ct), StringComparison.Ordinal);
            if (OperatingSystem.IsLinux())
            {
                var userIds = (await File.ReadAllLinesAsync($"/proc/{process}/status", Ct)).Single(line => line.StartsWith("Uid:", StringComparison.Ordinal));
                Assert.DoesNotContain("\t0", userIds, StringComparison.Ordinal);
            }
        }

        Assert.False(Directory.Exists(folder));
        Assert.False(EfScaling.Testing.Processes.ProcessTable.IsAlive(process));
    }

    [ServerFact]
    public async Task Takes_settings_and_a_database_name()
    {
        await using var cluster = await PostgresCluster.StartAsync(
            new() { Standbys = 1, Database = "My \"shop\"", Settings = new Dictionary<string, string> { ["work_mem"] = "7MB", ["wal_level"] = "logical" } },
            Ct);

        foreach (var server in cluster.Servers)
        {
            Assert.Equal("7MB", await server.ScalarAsync<string>("SHOW work_mem", Ct));
            Assert.Equal("logical", await server.ScalarAsync<string>("SHOW wal_level", Ct));
            Assert.Equal("My \"shop\"", await server.ScalarAsync<string>("SELECT current_database()::text", Ct));
        }

        Assert.Equal("É", await cluster.Primary.ScalarAsync<string>("SELECT upper('é')", Ct));
    }

    [ServerFact]
    public async Task A_wrong_setting_fails_with_the_log_of_the_server()
    {
        var failure = await Assert.ThrowsAsync<ServerStartException>(() => PostgresCluster.StartAsync(
            new() { Settings = new Dictionary<string, string> { ["no_such_setting"] = "1" } }, Ct));

        Assert.Contains("no_such_setting", failure.Log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("port", "1")]
    [InlineData("work_mem", "1MB'\nport = 1")]
    [InlineData("work mem", "1MB")]
    public void A_setting_that_would_break_the_cluster_is_refused(string name, string value) =>
        Assert.Throws<ArgumentException>(() => new PostgresClusterOptions { Settings = new Dictionary<string, string> { [name] = value } });

    [ServerFact]
    public async Task Adds_a_standby_while_the_primary_runs()
    {
        await using var cluster = await PostgresCluster.StartAsync(new() { Standbys = 0 }, Ct);
        await cluster.Primary.ExecuteAsync("CREATE TABLE t (id int); INSERT INTO t VALUES (1)", Ct);

        var standby = await cluster.AddStandbyAsync(Ct);
        await cluster.Primary.ExecuteAsync("INSERT INTO t VALUES (2)", Ct);
        await cluster.WaitForReplicationAsync(cancellationToken: Ct);

        Assert.Same(standby, Assert.Single(cluster.Standbys));
        Assert.Equal(2, await standby.ScalarAsync<long>("SELECT count(*) FROM t", Ct));
    }

    [ServerFact]
    public async Task A_connection_string_of_the_cluster_lists_all_servers_and_leads_to_the_primary()
    {
        await using var cluster = await PostgresCluster.StartAsync(new() { Standbys = 1 }, Ct);
        await using var source = NpgsqlDataSource.Create(cluster.GetConnectionString());
        await using var command = source.CreateCommand("SHOW cluster_name");

        Assert.Equal("primary", await command.ExecuteScalarAsync(Ct));
        Assert.Contains($"{cluster.Standbys[0].Port}", cluster.GetConnectionString(), StringComparison.Ordinal);
    }
}
