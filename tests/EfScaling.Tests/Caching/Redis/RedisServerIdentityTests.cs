using EfScaling.Caching.Redis;

namespace EfScaling.Tests.Caching.Redis;

public sealed class RedisServerIdentityTests
{
    private const string Server = "# Server\r\nredis_version:7.0.15\r\nrun_id:aaaa\r\n";
    private const string Master = "# Replication\r\nrole:master\r\nmaster_replid:bbbb\r\nmaster_replid2:0000\r\n";
    private static readonly RedisEndpoint _endpoint = new("redis", 6379);

    [Fact]
    public void A_restart_and_a_new_history_are_other_incarnations()
    {
        var identity = RedisServerIdentity.Read(_endpoint, Server, Master);

        Assert.Equal(identity.Incarnation, RedisServerIdentity.Read(_endpoint, Server, Master).Incarnation);
        Assert.NotEqual(identity.Incarnation, RedisServerIdentity.Read(_endpoint, Server.Replace("aaaa", "cccc"), Master).Incarnation);
        Assert.NotEqual(identity.Incarnation, RedisServerIdentity.Read(_endpoint, Server, Master.Replace("bbbb", "cccc")).Incarnation);
    }

    [Fact]
    public void Notices_that_the_server_became_another()
    {
        var identity = RedisServerIdentity.Read(_endpoint, Server, Master);

        Assert.True(identity.IsStill(Master));
        Assert.False(identity.IsStill(Master.Replace("bbbb", "cccc")));
        Assert.False(identity.IsStill(Master.Replace("role:master", "role:slave")));
    }

    [Fact]
    public void A_replica_is_refused() =>
        Assert.Equal(RedisFailureKind.ReadOnly, Assert.Throws<RedisConnectException>(() => RedisServerIdentity.Read(_endpoint, Server, Master.Replace("role:master", "role:slave"))).Failure.Kind);

    [Fact]
    public void A_server_that_does_not_tell_its_lives_apart_is_refused() =>
        Assert.Contains("run_id", Assert.Throws<RedisConnectException>(() => RedisServerIdentity.Read(_endpoint, "redis_version:7", Master)).Message, StringComparison.Ordinal);
}
