using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.IntegrationTests.Sharding.Catalog;
using EfScaling.Routing.Transactions;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EfScaling.IntegrationTests.Sharding.Transactions;

/// <summary>What processes leave prepared is settled by the hosts of others, and counted.</summary>
public sealed class RegularRecoveryTests(VaultClusters vault) : IClassFixture<VaultClusters>
{
    [Fact]
    public async Task A_host_settles_what_others_have_left_and_goes_on_while_a_shard_is_down()
    {
        var counted = new ConcurrentQueue<string>();
        using var listener = Listen(counted);
        using var host = Host();
        await host.StartAsync();

        // Nobody has decided on one of them; the other one is decided, and gamma, which decides, is down for a while.
        var (abandoned, decided) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await PrepareAsync("beta", abandoned, "alpha");
        await vault.ServerOf("gamma").ExecuteAsync($"INSERT INTO efscaling.decision (id, outcome, participants) VALUES ('{decided}', 'commit', '{{gamma,beta}}')");
        await PrepareAsync("beta", decided, "gamma");
        await vault.ServerOf("gamma").StopAsync();
        await NothingIsLeftAsync(abandoned);
        Assert.Contains(decided.ToString("N"), await PreparedAsync(), StringComparison.Ordinal);
        await vault.ServerOf("gamma").StartAsync();
        await NothingIsLeftAsync(decided);
        await host.StopAsync();

        Assert.Equal($"note of {decided}", await vault.ServerOf("beta").ScalarAsync<string>("SELECT string_agg(note, ', ') FROM accounts WHERE note LIKE 'note of %'"));
        await vault.ServerOf("beta").ExecuteAsync("DELETE FROM accounts WHERE note LIKE 'note of %'");
        Assert.Contains("settled 1 shard=beta outcome=RolledBack", counted);
        Assert.Contains("settled 1 shard=beta outcome=Committed", counted);
        Assert.Contains("prepared 2 shard=beta", counted);
        Assert.Contains("prepared 0 shard=alpha", counted);
    }

    [Fact]
    public async Task Commits_are_counted_by_their_outcome()
    {
        var counted = new ConcurrentQueue<string>();
        using var listener = Listen(counted);
        int[] accounts = [vault.ByShard["alpha"][0], vault.ByShard["beta"][0], vault.ByShard["gamma"][0]];
        await using (var context = vault.Owner.CreateDbContext())
        {
            await VaultClusters.TransferAsync(context, Guid.NewGuid(), accounts);
        }

        Assert.Equal(["commits 1 outcome=Committed", "participants 3 "], counted.Where(c => c.StartsWith("commits", StringComparison.Ordinal) || c.StartsWith("participants", StringComparison.Ordinal)));
        counted.Clear();

        // The tables have no room for it any more when it comes to its end.
        await vault.ServerOf("beta").ExecuteAsync(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
            CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
            """);
        await using (var context = vault.Process().CreateDbContext())
        {
            await Assert.ThrowsAnyAsync<Exception>(() => VaultClusters.TransferAsync(context, Guid.NewGuid(), accounts[..2]));
        }

        await vault.ServerOf("beta").ExecuteAsync("DROP TRIGGER refuse ON accounts");
        Assert.Contains("commits 1 outcome=RolledBack", counted);
        await vault.AssertSoundAsync();
    }

    [Fact]
    public async Task A_context_without_shards_is_told_so()
    {
        var log = new EventLog();
        using var host = new HostBuilder()
            .ConfigureServices(s => s.AddSingleton<ILoggerFactory>(log).AddDbContextFactory<BankContext>(o => o.UseNpgsql("Host=127.0.0.1;Port=1")).AddShardTransactionRecovery<BankContext>())
            .Build();
        await host.StartAsync();
        await Eventually.ThatAsync(() => log.Events.Any(e => e.Message.Contains("Call UseSharding(...) on its options", StringComparison.Ordinal)), TimeSpan.FromSeconds(20), "a line that names the remedy");
        await host.StopAsync();
    }

    private static MeterListener Listen(ConcurrentQueue<string> counted)
    {
        const string prefix = "efscaling.transactions.";
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name.StartsWith(prefix, StringComparison.Ordinal))
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((i, value, tags, _) => Note(i, value, tags));
        listener.SetMeasurementEventCallback<int>((i, value, tags, _) => Note(i, value, tags));
        listener.Start();
        return listener;

        void Note(Instrument instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            counted.Enqueue($"{instrument.Name[prefix.Length..]} {value} {string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}"))}");
    }

    private IHost Host() => new HostBuilder()
        .ConfigureServices(s => s
            .AddShardedDbContextFactory<BankContext>((_, o) => o.UseNpgsql().UseSharding(b =>
            {
                foreach (var shard in VaultClusters.Shards)
                {
                    b.AddShard(shard, vault.ServerOf(shard).ConnectionString);
                }
            }))
            .AddShardTransactionRecovery<BankContext>(TimeSpan.FromSeconds(1)))
        .Build();

    private async Task PrepareAsync(string shard, Guid id, string decider) => await vault.ServerOf(shard).ExecuteAsync(
        $"BEGIN; INSERT INTO accounts (id, balance, note, revision) VALUES ({id.GetHashCode()}, 0, 'note of {id}', 0); PREPARE TRANSACTION '{new PreparedName(id, 1, decider)}'");

    private async Task<string> PreparedAsync() => (await vault.ServerOf("beta").ScalarAsync<string>("SELECT coalesce(string_agg(gid, ' '), '') FROM pg_prepared_xacts"))!;

    private Task NothingIsLeftAsync(Guid id) =>
        Eventually.ThatAsync(async () => !(await PreparedAsync()).Contains(id.ToString("N"), StringComparison.Ordinal), TimeSpan.FromSeconds(60), "recovery to settle what is prepared");
}
