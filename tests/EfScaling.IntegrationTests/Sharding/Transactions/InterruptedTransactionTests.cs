using System.Globalization;
using EfScaling.Diagnostics;
using EfScaling.Routing.Shards;
using EfScaling.Routing.Transactions;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Transactions;

/// <summary>Whatever dies in the middle of a commit over several shards, and whoever cleans up behind it: all of it is there, or nothing.</summary>
public sealed class InterruptedTransactionTests(VaultClusters vault) : IClassFixture<VaultClusters>
{
    // More by an environment variable, for runs that take their time: EFSCALING_KILLS=300.
    private static readonly int _kills = int.Parse(Environment.GetEnvironmentVariable("EFSCALING_KILLS") ?? "30", CultureInfo.InvariantCulture);

    [Fact]
    public async Task A_client_that_dies_at_any_step_leaves_all_or_nothing()
    {
        var random = NewRandom();
        var steps = new StepLog();
        var (rolledBack, committed) = (0, 0);
        for (var i = 0; i < _kills; i++)
        {
            var step = random.Next(2) == 0 ? EfScalingEventId.ShardsPrepared : EfScalingEventId.ShardsDecided;
            var id = Guid.NewGuid();
            var accounts = vault.Pick(random, random.Next(2, 4));
            steps.OnStep = reached =>
            {
                if (reached == step)
                {
                    vault.KillClients();
                    throw new ProcessDiedException();
                }
            };
            await using (var context = vault.Client(steps).CreateDbContext())
            {
                var failure = await Assert.ThrowsAnyAsync<Exception>(() => VaultClusters.TransferAsync(context, id, accounts, random.Next(1, 9), async: random.Next(2) == 0));
                Assert.Contains(Causes(failure), f => f is ProcessDiedException);
            }

            // Two others find what is left, at the same time.
            await Task.WhenAll(vault.RecoverAsync(), vault.RecoverAsync());
            var count = await vault.CountEntriesAsync(id);
            Assert.Equal(step == EfScalingEventId.ShardsDecided ? accounts.Length : 0, count);
            _ = count == 0 ? rolledBack++ : committed++;
            await vault.ReviveClientsAsync();
        }

        Assert.True(rolledBack > 0 && committed > 0);
        await vault.AssertSoundAsync();
    }

    [Fact]
    public async Task A_server_that_dies_at_any_step_leaves_all_or_nothing_and_the_caller_is_told_which()
    {
        var random = NewRandom();
        var steps = new StepLog();
        var process = vault.Process(retries: true, steps: steps);
        for (var i = 0; i < Math.Max(9, _kills / 10); i++)
        {
            var accounts = vault.Pick(random, random.Next(2, 4));
            var step = random.Next(2) == 0 ? EfScalingEventId.ShardsPrepared : EfScalingEventId.ShardsDecided;
            var victim = vault.ServerOf(VaultClusters.Shards[i % 3]);
            var id = Guid.NewGuid();
            var restarts = new List<Task>();
            steps.OnStep = reached =>
            {
                if (reached == step && restarts.Count == 0)
                {
                    var isDead = new ManualResetEventSlim();
                    restarts.Add(Task.Run(async () =>
                    {
                        await victim.KillAsync();
                        isDead.Set();
                        await victim.StartAsync();
                    }));

                    // The commit goes on behind the server's end, or while it dies.
                    isDead.Wait(random.Next(2) == 0 ? TimeSpan.FromSeconds(10) : TimeSpan.FromMilliseconds(random.Next(10)));
                }
            };
            try
            {
                // The execution strategy tries again what failed for certain, and so the transfer is made exactly once.
                await using var context = process.CreateDbContext();
                await VaultClusters.TransferAsync(context, id, accounts, random.Next(1, 9));
            }
            finally
            {
                await Task.WhenAll(restarts);
            }

            await vault.RecoverAsync();
            Assert.Equal(accounts.Length, await vault.CountEntriesAsync(id));
        }

        await vault.AssertSoundAsync();
    }

    [Fact]
    public async Task A_decision_whose_answer_is_lost_is_asked_for()
    {
        var steps = new StepLog();
        var process = vault.Process(steps: steps);
        var accounts = new[] { vault.ByShard["alpha"][0], vault.ByShard["beta"][0] };
        var id = Guid.NewGuid();
        await using var context = process.CreateDbContext();
        await KeepDecisionWaitingAsync(steps, () => VaultClusters.TransferAsync(context, id, accounts), meanwhile: null);
        Assert.All(context.ChangeTracker.Entries(), e => Assert.Equal(EntityState.Unchanged, e.State));
        Assert.Equal(2, await vault.CountEntriesAsync(id));
        await vault.AssertSoundAsync();
    }

    [Fact]
    public async Task A_decision_that_cannot_be_asked_for_any_more_is_in_doubt_and_nothing_is_rolled_back()
    {
        // The application ends: it disposes its data sources while the answer is under way.
        var steps = new StepLog();
        var sources = VaultClusters.Shards.ToDictionary(s => s, s => NpgsqlDataSource.Create(vault.ServerOf(s).ConnectionString));
        var process = vault.Process(s => sources[s], steps);
        var id = Guid.NewGuid();
        await using (var context = process.CreateDbContext())
        {
            var doubt = await Assert.ThrowsAsync<PartialCommitException>(() => KeepDecisionWaitingAsync(
                steps,
                () => VaultClusters.TransferAsync(context, id, [vault.ByShard["alpha"][2], vault.ByShard["beta"][2]]),
                meanwhile: async () => await sources["alpha"].DisposeAsync()));
            Assert.Equal(["alpha", "beta"], doubt.InDoubt);
        }

        await vault.RecoverAsync();
        Assert.Equal(2, await vault.CountEntriesAsync(id));
        await vault.AssertSoundAsync();
    }

    [Fact]
    public async Task A_decision_outlives_the_server_also_where_commits_are_not_synchronous()
    {
        // What is committed so stays in memory for up to three times this long.
        var alpha = vault.ServerOf("alpha");
        await alpha.ExecuteAsync("ALTER SYSTEM SET synchronous_commit = off");
        await alpha.ExecuteAsync("ALTER SYSTEM SET wal_writer_delay = '10s'");
        await alpha.ExecuteAsync("SELECT pg_reload_conf()");
        await Eventually.ThatAsync(async () => await alpha.ScalarAsync<string>("SHOW synchronous_commit") == "off", TimeSpan.FromSeconds(10), "the setting to be read");
        var steps = new StepLog();
        var process = vault.Process(steps: steps);
        var id = Guid.NewGuid();
        steps.OnStep = reached =>
        {
            if (reached == EfScalingEventId.ShardsDecided)
            {
                using var isDead = new ManualResetEventSlim();
                _ = Task.Run(async () =>
                {
                    await alpha.KillAsync();
                    isDead.Set();
                });
                isDead.Wait();
            }
        };
        await using (var context = process.CreateDbContext())
        {
            await VaultClusters.TransferAsync(context, id, [vault.ByShard["alpha"][1], vault.ByShard["beta"][1]]);
        }

        await alpha.StartAsync();
        await alpha.ExecuteAsync("ALTER SYSTEM RESET ALL");
        await alpha.ExecuteAsync("SELECT pg_reload_conf()");
        await vault.RecoverAsync();
        Assert.Equal(2, await vault.CountEntriesAsync(id));
        await vault.AssertSoundAsync();
    }

    [Fact]
    public async Task A_save_that_is_cancelled_while_a_shard_prepares_for_its_standby_is_rolled_back()
    {
        var beta = vault.ServerOf("beta");
        var id = Guid.NewGuid();
        using var enough = new CancellationTokenSource();
        await using (var context = vault.Process().CreateDbContext())
        {
            foreach (var account in new[] { vault.ByShard["alpha"][1], vault.ByShard["beta"][1] })
            {
                context.Add(new Catalog.Entry { AccountId = account, Id = id, Amount = 0 });
            }

            await beta.ExecuteAsync("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
            await beta.ExecuteAsync("SELECT pg_reload_conf()");
            await Eventually.ThatAsync(async () => await beta.ScalarAsync<string>("SHOW synchronous_standby_names") == "nobody", TimeSpan.FromSeconds(10), "the setting to be read");
            var saving = context.SaveChangesAsync(enough.Token);
            await Eventually.ThatAsync(
                async () => await beta.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") > 0, TimeSpan.FromSeconds(30), "the part to wait for a standby");
            await enough.CancelAsync();
            await Eventually.ThatAsync(
                async () => await beta.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '%PREPARED%'") > 0 || saving.IsCompleted, TimeSpan.FromSeconds(30), "the wait to end");
            await beta.ExecuteAsync("ALTER SYSTEM RESET synchronous_standby_names");
            await beta.ExecuteAsync("SELECT pg_reload_conf()");
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => saving);
        }

        await vault.RecoverAsync();
        Assert.Equal(0, await vault.CountEntriesAsync(id));
        await vault.AssertSoundAsync();
    }

    [Fact]
    public async Task A_part_that_is_prepared_after_its_writer_has_given_up_is_found_without_being_asked_for()
    {
        // The caller's time is over, and the shard does not hear that.
        var beta = vault.ServerOf("beta");
        await beta.ExecuteAsync(
            """
            CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(9); RETURN NULL; EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(3); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON entries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.amount = 4711) EXECUTE FUNCTION dawdle()
            """);
        var process = vault.Process(s => vault.SourceOf(s, "Command Timeout=6;Cancellation Timeout=-1"));
        await using (var context = process.CreateDbContext())
        {
            await Assert.ThrowsAnyAsync<Exception>(() => VaultClusters.TransferAsync(context, Guid.NewGuid(), [vault.ByShard["alpha"][2], vault.ByShard["beta"][2]], 4711));
        }

        Assert.Equal(0, await beta.ScalarAsync<long>("SELECT count(*) FROM pg_prepared_xacts"));
        await Eventually.ThatAsync(async () => await beta.ScalarAsync<long>("SELECT count(*) FROM pg_prepared_xacts") == 1, TimeSpan.FromSeconds(40), "the part to be prepared");
        await Eventually.ThatAsync(async () => await beta.ScalarAsync<long>("SELECT count(*) FROM pg_prepared_xacts") == 0, TimeSpan.FromSeconds(40), "the part to be rolled back");
        await beta.ExecuteAsync("DROP FUNCTION dawdle CASCADE");
        await vault.AssertSoundAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_shard_that_hangs_behind_the_decision_does_not_hold_the_caller_up(bool async)
    {
        var steps = new StepLog();
        var process = vault.Process(s => vault.SourceOf(s, "Command Timeout=0;Timeout=2"), steps);
        var beta = vault.ServerOf("beta");
        var id = Guid.NewGuid();
        Task? suspending = null;
        steps.OnStep = reached =>
        {
            if (reached == EfScalingEventId.ShardsDecided)
            {
                suspending = beta.SuspendAsync();
            }
        };
        try
        {
            await using var context = process.CreateDbContext();
            await Task.Run(() => VaultClusters.TransferAsync(context, id, [vault.ByShard["alpha"][0], vault.ByShard["beta"][0]], async: async)).WaitAsync(TimeSpan.FromSeconds(45));
        }
        finally
        {
            await suspending!;
            await beta.ContinueAsync();
        }

        await vault.RecoverAsync();
        Assert.Equal(2, await vault.CountEntriesAsync(id));
        await vault.AssertSoundAsync();
    }

    [Fact]
    public async Task A_writer_that_recovery_has_given_up_is_told_so_and_can_try_again()
    {
        var steps = new StepLog();
        var process = vault.Process(retries: true, steps: steps);
        var accounts = new[] { vault.ByShard["beta"][0], vault.ByShard["gamma"][0] };
        var id = Guid.NewGuid();
        var given = 0;
        RecoveryResult? result = null;
        steps.OnStep = reached =>
        {
            if (reached == EfScalingEventId.ShardsPrepared && given++ == 0)
            {
                // It takes what is under way for interrupted.
                using var done = new ManualResetEventSlim();
                _ = Task.Run(async () =>
                {
                    await using var context = vault.Owner.CreateDbContext();
                    result = await context.Database.RecoverShardTransactionsAsync(TimeSpan.Zero);
                    done.Set();
                });
                done.Wait();
            }
        };
        await using var context = process.CreateDbContext();
        await VaultClusters.TransferAsync(context, id, accounts);
        Assert.Equal((0, 1, 2), (result!.Committed, result.RolledBack, given));
        Assert.Equal(2, await vault.CountEntriesAsync(id));

        // Without a strategy the caller is told.
        (given, id) = (0, Guid.NewGuid());
        await using var single = vault.Process(steps: steps).CreateDbContext();
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => VaultClusters.TransferAsync(single, id, accounts));
        Assert.Contains("was given up by the recovery of another process", failure.InnerException!.Message, StringComparison.Ordinal);
        Assert.Equal(0, await vault.CountEntriesAsync(id));
        await vault.AssertSoundAsync();
    }

    [Fact]
    public async Task A_prepared_part_of_an_unknown_shard_is_left_and_told()
    {
        var beta = vault.ServerOf("beta");
        var name = new PreparedName(Guid.CreateVersion7(), 1, "omega").ToString();
        await beta.ExecuteAsync($"BEGIN; UPDATE accounts SET note = 'held' WHERE id = {vault.ByShard["beta"][1]}; PREPARE TRANSACTION '{name}'");
        await using var context = vault.Owner.CreateDbContext();
        var young = await context.Database.RecoverShardTransactionsAsync(TimeSpan.FromMinutes(1));
        Assert.Contains("under way", Assert.Single(young.Remaining).Reason, StringComparison.Ordinal);
        var result = await context.Database.RecoverShardTransactionsAsync(TimeSpan.Zero);
        var left = Assert.Single(result.Remaining);
        Assert.Equal(("beta", name), (left.Shard, left.Name));
        Assert.Contains("'omega', which is no shard of this process", left.Reason, StringComparison.Ordinal);
        Assert.False(result.IsClean);
        await beta.ExecuteAsync($"ROLLBACK PREPARED '{name}'");
        Assert.True((await context.Database.RecoverShardTransactionsAsync(TimeSpan.Zero)).IsClean);
    }

    [Fact]
    public async Task A_shard_without_a_password_keeps_none_of_the_others_from_being_seen_to()
    {
        var beta = vault.ServerOf("beta");
        var ids = new[] { Guid.CreateVersion7(), Guid.CreateVersion7() };
        await beta.ExecuteAsync($"BEGIN; UPDATE accounts SET note = 'held' WHERE id = {vault.ByShard["beta"][0]}; PREPARE TRANSACTION '{new PreparedName(ids[0], 1, "gamma")}'");
        await beta.ExecuteAsync($"BEGIN; UPDATE accounts SET note = 'held' WHERE id = {vault.ByShard["beta"][1]}; PREPARE TRANSACTION '{new PreparedName(ids[1], 1, "alpha")}'");
        await using var locked = new NpgsqlDataSourceBuilder(new NpgsqlConnectionStringBuilder(vault.ServerOf("gamma").ConnectionString) { Password = null }.ConnectionString)
            .UsePasswordProvider(_ => throw new NotSupportedException("no password"), (_, _) => throw new NotSupportedException("no password")).Build();
        await using (var context = vault.Process(s => s == "gamma" ? locked : vault.SourceOf(s, "Pooling=true")).CreateDbContext())
        {
            var result = await context.Database.RecoverShardTransactionsAsync(TimeSpan.Zero);
            Assert.Equal((0, 1), (result.Committed, result.RolledBack));
            Assert.Contains("no password", result.Unreachable["gamma"], StringComparison.Ordinal);
            Assert.Equal(ids[0], PreparedName.Parse(Assert.Single(result.Remaining).Name)!.Value.Id);
        }

        await vault.RecoverAsync();
        await vault.AssertSoundAsync();
    }

    [Fact]
    public async Task A_shard_that_hangs_keeps_none_of_the_others_from_being_seen_to()
    {
        var (beta, gamma) = (vault.ServerOf("beta"), vault.ServerOf("gamma"));
        var id = Guid.CreateVersion7();
        await using var context = vault.Process(s => vault.SourceOf(s, "Command Timeout=0;Timeout=5")).CreateDbContext();
        await context.Database.RecoverShardTransactionsAsync();
        await beta.ExecuteAsync($"BEGIN; UPDATE accounts SET note = 'held' WHERE id = {vault.ByShard["beta"][0]}; PREPARE TRANSACTION '{new PreparedName(id, 1, "alpha")}'");
        await gamma.SuspendAsync();
        try
        {
            var result = await context.Database.RecoverShardTransactionsAsync(TimeSpan.Zero).WaitAsync(TimeSpan.FromSeconds(60));
            Assert.Equal((0, 1), (result.Committed, result.RolledBack));
            Assert.Equal(["gamma"], result.Unreachable.Keys);
        }
        finally
        {
            await gamma.ContinueAsync();
        }

        await vault.AssertSoundAsync();
    }

    [Fact]
    public async Task The_total_never_changes_under_load()
    {
        var random = NewRandom();
        var process = vault.Process(retries: true);
        using var enough = new CancellationTokenSource();
        var made = 0;
        var writers = Enumerable.Range(0, 6).Select(_ => random.Next()).Select(seed => Task.Run(async () =>
        {
            var own = new Random(seed);
            while (!enough.IsCancellationRequested)
            {
                await using var context = process.CreateDbContext();
                try
                {
                    await VaultClusters.TransferAsync(context, Guid.NewGuid(), vault.Pick(own, own.Next(2, 4)), own.Next(1, 9));
                    Interlocked.Increment(ref made);
                }
                catch (DbUpdateConcurrencyException)
                {
                    // Another transfer was faster.
                }
            }
        })).ToList();
        for (var read = 0; read < 25; read++)
        {
            Assert.Equal(VaultClusters.Accounts * VaultClusters.Balance, await vault.TotalAsync());
        }

        await enough.CancelAsync();
        await Task.WhenAll(writers);
        Assert.True(made > 25, $"{made} transfers");
        await vault.AssertSoundAsync();
    }

    // The decision is on the disk of 'alpha', and its answer waits for a standby that there is not, until its connection is gone.
    private async Task KeepDecisionWaitingAsync(StepLog steps, Func<Task> transfer, Func<Task>? meanwhile)
    {
        var alpha = vault.ServerOf("alpha");
        steps.OnStep = reached =>
        {
            if (reached == EfScalingEventId.ShardsPrepared)
            {
                using var connection = new NpgsqlConnection(alpha.ConnectionString);
                connection.Open();
                using var command = new NpgsqlCommand("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", connection);
                command.ExecuteNonQuery();
                command.CommandText = "SELECT pg_reload_conf()";
                command.ExecuteNonQuery();
                SpinWait.SpinUntil(() => { using var show = new NpgsqlConnection(alpha.ConnectionString + ";Pooling=false"); show.Open(); using var ask = new NpgsqlCommand("SHOW synchronous_standby_names", show); return (string)ask.ExecuteScalar()! == "nobody"; });
            }
        };
        var running = transfer();
        await Eventually.ThatAsync(
            async () => await alpha.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") > 0,
            TimeSpan.FromSeconds(30),
            "the decision to wait for a standby");
        if (meanwhile is not null)
        {
            await meanwhile();
        }

        await alpha.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        await alpha.ExecuteAsync("ALTER SYSTEM RESET synchronous_standby_names");
        await alpha.ExecuteAsync("SELECT pg_reload_conf()");
        await running;
    }

    private static IEnumerable<Exception> Causes(Exception? failure)
    {
        for (; failure is not null; failure = failure.InnerException)
        {
            yield return failure;
        }
    }

    private static Random NewRandom()
    {
        var seed = Environment.TickCount;
        TestContext.Current.SendDiagnosticMessage($"seed {seed}");
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        return new Random(seed);
    }

    private sealed class ProcessDiedException : Exception;
}
