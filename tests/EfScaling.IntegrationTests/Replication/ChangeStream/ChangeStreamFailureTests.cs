using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Testing;
using EfScaling.Replication.ChangeStream;
using EfScaling.Testing;
using Npgsql;

namespace EfScaling.IntegrationTests.Replication.ChangeStream;

/// <summary>Consumers, instances, slots and servers that fail: no change is missed, or everything counts as changed.</summary>
public sealed class ChangeStreamFailureTests(LogicalCluster cluster) : IClassFixture<LogicalCluster>
{
    private const string Tables = "CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id serial PRIMARY KEY);";
    private const string InsertA = "INSERT INTO a DEFAULT VALUES";
    private const string InsertB = "INSERT INTO b DEFAULT VALUES";

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    [ServerFact]
    public async Task A_consumer_that_fails_gets_the_transaction_again_and_later_ones_after_it()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        var failures = 0;
        await using var changes = await ChangeRecorder.StartNewAsync(
            database,
            onHandingOn: tables => tables == "public.a" && Interlocked.Increment(ref failures) < 3 ? throw new InvalidOperationException("The cache is down.") : Task.CompletedTask);

        await database.ExecuteAsync(InsertA);
        await database.ExecuteAsync(InsertB);

        Assert.Equal("public.a", await changes.NextAsync());
        Assert.Equal("public.b", await changes.NextAsync());
        Assert.Equal(3, failures);
        Assert.Equal(2, changes.Log.Count(EfScalingEventId.ChangeStreamBroke));
        Assert.Equal(1, changes.Log.Count(EfScalingEventId.ChangeStreamGap));
    }

    [ServerFact]
    public async Task An_instance_that_ends_before_its_consumer_has_leaves_the_transaction_to_the_next()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        var never = new TaskCompletionSource();
        var called = new TaskCompletionSource();
        await using (var stuck = await ChangeRecorder.StartNewAsync(
            database,
            onHandingOn: tables =>
            {
                if (tables != "public.a")
                {
                    return Task.CompletedTask;
                }

                called.TrySetResult();
                return never.Task;
            }))
        {
            await database.ExecuteAsync(InsertA);
            await called.Task.WaitAsync(_patience);
        }

        await using var next = ChangeRecorder.Start(database);
        Assert.Equal("public.a", await next.NextAsync());
    }

    [ServerFact]
    public async Task Changes_while_no_instance_runs_are_reported_when_one_does()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        await using (await ChangeRecorder.StartNewAsync(database))
        {
            await Eventually.ThatAsync(database.HasSlotAsync, _patience, "the slot");
        }

        await database.ExecuteAsync(InsertA);
        await database.ExecuteAsync(InsertB);

        await using var next = ChangeRecorder.Start(database);
        Assert.Equal("public.a", await next.NextAsync());
        Assert.Equal("public.b", await next.NextAsync());
    }

    [ServerFact]
    public async Task What_was_handed_on_does_not_come_again()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        await using (var first = await ChangeRecorder.StartNewAsync(database))
        {
            await database.ExecuteAsync(InsertA);
            Assert.Equal("public.a", await first.NextAsync());
            await ConfirmedAsync(database);
        }

        await database.ExecuteAsync(InsertB);
        await using var next = ChangeRecorder.Start(database);
        Assert.Equal("public.b", await next.NextAsync());
    }

    [ServerFact]
    public async Task Of_two_instances_one_reads_and_the_other_takes_over_when_it_ends()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        await using var first = await ChangeRecorder.StartNewAsync(database);
        await Eventually.ThatAsync(() => first.Log.Count(EfScalingEventId.ChangeStreamStarted) == 1, _patience, "the first instance to read");
        await using var second = ChangeRecorder.Start(database);
        await Eventually.ThatAsync(() => second.Log.Count(EfScalingEventId.ChangeStreamWaits) == 1, _patience, "the second instance to wait");
        await database.ExecuteAsync(InsertA);
        Assert.Equal("public.a", await first.NextAsync());
        Assert.Null(second.Lag);
        await ConfirmedAsync(database);

        await first.DisposeAsync();
        await database.ExecuteAsync(InsertB);

        Assert.Equal("public.b", await second.NextAsync());
        Assert.Equal(0, second.Log.Count(EfScalingEventId.ChangeStreamGap));
        await database.ExecuteAsync(InsertA);
        Assert.Equal("public.a", await second.NextAsync());
    }

    [ServerFact]
    public async Task Of_many_instances_that_start_together_one_reports_the_gap()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        var instances = Enumerable.Range(0, 4).Select(_ => ChangeRecorder.Start(database)).ToList();
        try
        {
            // Whoever comes to the new slot first reads it: perhaps one that has waited, while its maker waits then.
            await Eventually.ThatAsync(() => Started() == 1 && instances.TrueForAll(i => Saw(i, EfScalingEventId.ChangeStreamStarted) || Saw(i, EfScalingEventId.ChangeStreamWaits)), _patience, "one instance to read and the others to wait");
            Assert.Equal(1, instances.Sum(i => i.Log.Count(EfScalingEventId.ChangeStreamGap)));
        }
        finally
        {
            await Task.WhenAll(instances.Select(i => i.DisposeAsync().AsTask()));
        }

        int Started() => instances.Sum(i => i.Log.Count(EfScalingEventId.ChangeStreamStarted));
        static bool Saw(ChangeRecorder instance, int id) => instance.Log.Count(id) > 0;
    }

    [ServerFact]
    public async Task After_its_slot_was_dropped_everything_counts_as_changed()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        await using var changes = await ChangeRecorder.StartNewAsync(database);
        await Eventually.ThatAsync(database.HasSlotAsync, _patience, "the slot");

        // The reader comes back at once, so the slot is dropped as soon as it is free.
        await database.ExecuteAsync(
            $$"""
            DO $$
            BEGIN
                LOOP
                    PERFORM pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{{database.Slot}}' AND active;
                    BEGIN
                        PERFORM pg_drop_replication_slot('{{database.Slot}}');
                        EXIT;
                    EXCEPTION WHEN object_in_use THEN
                        PERFORM pg_sleep(0.001);
                    END;
                END LOOP;
            END $$
            """);
        await database.ExecuteAsync(InsertA);

        Assert.Equal("everything", await changes.NextAsync());
        await database.ExecuteAsync(InsertB);
        Assert.Contains(await changes.UntilAsync("public.b"), tables => tables is "public.a" or "public.b");
        Assert.Equal(2, changes.Log.Count(EfScalingEventId.ChangeStreamGap));
    }

    [ServerFact]
    public async Task After_the_server_has_removed_log_that_the_slot_needs_everything_counts_as_changed()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        await using (await ChangeRecorder.StartNewAsync(database))
        {
            await Eventually.ThatAsync(database.HasSlotAsync, _patience, "the slot");
        }

        await database.ExecuteAsync("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
        await database.ExecuteAsync("SELECT pg_reload_conf()");
        try
        {
            await Eventually.ThatAsync(
                async () =>
                {
                    await database.ExecuteAsync(InsertA);
                    await database.ExecuteAsync("SELECT pg_switch_wal()");
                    await database.ExecuteAsync("CHECKPOINT");
                    return await database.ScalarAsync<string>($"SELECT wal_status FROM pg_replication_slots WHERE slot_name = '{database.Slot}'") == "lost";
                },
                _patience,
                "the slot to be lost");
            await using var next = ChangeRecorder.Start(database);
            Assert.Equal("everything", await next.NextAsync());
            await database.ExecuteAsync(InsertB);
            Assert.Equal("public.b", (await next.UntilAsync("public.b"))[^1]);
        }
        finally
        {
            await database.ExecuteAsync("ALTER SYSTEM RESET max_slot_wal_keep_size");
            await database.ExecuteAsync("SELECT pg_reload_conf()");
        }
    }

    [ServerFact]
    public async Task An_instance_that_dies_while_it_reports_a_gap_leaves_the_report_to_the_next()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        var called = new TaskCompletionSource();
        await using (ChangeRecorder.Start(
            database,
            onHandingOn: _ =>
            {
                called.TrySetResult();
                return new TaskCompletionSource().Task;
            }))
        {
            await called.Task.WaitAsync(_patience);
            Assert.False(await database.HasSlotAsync());
        }

        await using var next = await ChangeRecorder.StartNewAsync(database);
        await Eventually.ThatAsync(database.HasSlotAsync, _patience, "the slot");
        Assert.Equal(1, await database.ScalarAsync<long>($"SELECT count(*) FROM pg_replication_slots WHERE database = '{database.Name}'"));
    }

    [ServerFact]
    public async Task After_its_publication_was_dropped_and_made_again_everything_counts_as_changed()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        await using (await ChangeRecorder.StartNewAsync(database))
        {
            await Eventually.ThatAsync(database.HasSlotAsync, _patience, "the slot");
        }

        await database.ExecuteAsync("DROP PUBLICATION efscaling_cache");
        await database.ExecuteAsync(InsertA);

        await using var next = ChangeRecorder.Start(database);
        Assert.Equal("everything", await next.NextAsync());
        await database.ExecuteAsync(InsertB);
        Assert.Equal("public.b", await next.NextAsync());
    }

    [ServerFact]
    public async Task A_slot_that_keeps_too_much_is_logged_and_the_lag_measured()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        var go = new TaskCompletionSource();
        await using var changes = await ChangeRecorder.StartNewAsync(
            database, o => o with { RetentionLimit = 100_000 }, tables => tables == "public.a" ? go.Task : Task.CompletedTask);

        await database.ExecuteAsync("INSERT INTO a SELECT generate_series(1, 10000)");
        await Eventually.ThatAsync(() => changes.Log.Count(EfScalingEventId.ChangeSlotRetainsTooMuch) == 1, _patience, "the retained log to be noticed");
        await Eventually.ThatAsync(
            () => changes.Lag is { Bytes: > 100_000, RetainedBytes: > 100_000 } lag && lag.Time > TimeSpan.FromMilliseconds(300), _patience, "the lag to grow");
        Assert.Contains(changes.Log.Events, e => e.Message.Contains("max_slot_wal_keep_size", StringComparison.Ordinal));

        go.SetResult();
        await Eventually.ThatAsync(() => changes.Lag is { Bytes: 0 } lag && lag.Time == TimeSpan.Zero, _patience, "the lag to end");
    }

    [ServerFact]
    public async Task Writes_that_are_not_reported_do_not_make_the_server_keep_its_log()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        var other = await cluster.CreateDatabaseAsync("CREATE TABLE noise (id int)");
        await using var changes = await ChangeRecorder.StartNewAsync(database);

        await other.ExecuteAsync("INSERT INTO noise SELECT generate_series(1, 10000)");

        await ConfirmedAsync(database);
    }

    // Up to the end of the log at the time of the call.
    private static async Task ConfirmedAsync(LogicalDatabase database)
    {
        var end = await database.ScalarAsync<NpgsqlTypes.NpgsqlLogSequenceNumber>("SELECT pg_current_wal_flush_lsn()");
        await Eventually.ThatAsync(
            () => database.ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{database.Slot}' AND confirmed_flush_lsn >= '{end}')"),
            _patience,
            "the server to know what was handed on");
    }
}
