using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Testing;
using EfScaling.Testing;
using static EfScaling.IntegrationTests.Caching.Redis.RedisStores;

namespace EfScaling.IntegrationTests.Caching.Redis;

/// <summary>A user who lacks a right is refused when the connection is made, with the name of the command, not when a script comes to it.</summary>
public sealed class RedisRightsTests(RedisRightsTests.Server server) : IClassFixture<RedisRightsTests.Server>
{
    // As docs/query-cache.md has them, without what Redis lets everybody run: HELLO and AUTH.
    private static readonly string[] _commands =
    [
        "ping", "info", "client|tracking", "mget", "set", "pexpire", "eval", "evalsha",
        "get", "del", "exists", "incr", "time", "hget", "hset", "hdel", "zadd", "zrem", "zrangebyscore",
    ];

    public static TheoryData<string> Required => [.. _commands.Where(c => c != "client|tracking")];

    [Theory]
    [MemberData(nameof(Required))]
    public async Task A_missing_command_is_named_when_the_connection_is_made(string command)
    {
        await using var app = Start(await UserAsync(_commands.Where(c => c != command)));

        await app.FailsWithAsync($"the user '{app.Options.User}' may not run '{command}' (ACL); allow it with ACL SETUSER {app.Options.User} +{command}");

        Assert.Contains($"'{command}'", app.Store.Read(Entry, [Orders]).Failure, StringComparison.Ordinal);
        Assert.Contains(app.Events.Events, e => e.Id == EfScalingEventId.StoreUnavailable && e.Message.Contains($"+{command}", StringComparison.Ordinal));
        Assert.DoesNotContain(app.Events.Events, e => e.Message.Contains(app.Options.Password!, StringComparison.Ordinal));
    }

    [ServerFact]
    public async Task Several_missing_commands_are_named_together()
    {
        await using var app = Start(await UserAsync(_commands.Except(["incr", "zadd"])));
        await app.FailsWithAsync("may not run 'zadd', 'incr' (ACL)");
    }

    [ServerFact]
    public async Task Without_reports_of_changes_the_store_works_and_says_so()
    {
        await using var app = await ConnectAsync(await UserAsync(_commands.Where(c => c != "client|tracking")));
        await app.ReadAsync(Orders);

        await Eventually.ThatAsync(
            () => app.Events.Events.Any(e => e.Id == EfScalingEventId.StoreRefuses && e.Message.Contains("'client|tracking'", StringComparison.Ordinal)),
            Patience,
            "the missing right to be named");
        Assert.False(app.Store.IsReporting);
        Assert.True(app.Store.Bump([Orders], null).IsDone);
    }

    [ServerFact]
    public async Task The_documented_rights_are_enough_and_finding_them_out_leaves_nothing_behind()
    {
        await using var app = await ConnectAsync(await UserAsync(_commands));
        Assert.Equal("", await server.Redis.ExecuteAsync("EVAL", "return redis.call('KEYS', ARGV[1])[1] or ''", "0", "efs:rights:*"));

        var intent = new CacheIntent(Log, "a", [Orders], TimeSpan.FromMilliseconds(1));
        await app.ReadAsync(Orders);
        Assert.True((await app.Store.WriteAsync(Entry, new byte[1], TimeSpan.FromMinutes(1), default)).IsDone);
        Assert.True((await app.Store.ProlongAsync(Entry, TimeSpan.FromMinutes(1), default)).IsDone);
        Assert.True((await app.Store.AnnounceAsync(intent, default)).IsDone);
        Assert.True((await app.Store.BumpAsync([Orders], intent, default)).IsDone);
        Assert.True((await app.Store.AnnounceAsync(intent, default)).IsDone);
        await Eventually.ThatAsync(async () => await app.Store.RecoverAsync(Log, default) == 1, Patience, "the overdue write to be published");
        Assert.True(await app.Store.TryLeaseAsync("efs:{shop}:l:1", TimeSpan.FromSeconds(3), default));
        await app.Store.ReleaseAsync("efs:{shop}:l:1", default);
        await app.IsToldAsync(Orders);
        Assert.Equal(0, app.Events.Count(EfScalingEventId.StoreRefuses));
    }

    // Users and not one user: connections of a user that is changed are closed.
    private async Task<EfScaling.Caching.Redis.RedisOptions> UserAsync(IEnumerable<string> commands)
    {
        var user = $"app{Guid.NewGuid():N}";
        await server.Redis.ExecuteAsync(["ACL", "SETUSER", user, "reset", "on", ">s3cret#x", "resetchannels", "~efs:*", .. commands.Select(c => $"+{c}")]);
        return OptionsOf(server.Redis) with { User = user, Password = "s3cret#x" };
    }

    public sealed class Server : IAsyncLifetime
    {
        public RedisServer Redis { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Redis = await RedisServer.StartAsync();

        public ValueTask DisposeAsync() => Redis.DisposeAsync();
    }
}
