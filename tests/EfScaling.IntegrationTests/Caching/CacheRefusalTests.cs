using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Caching.Redis;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A Redis that refuses costs no query its answer, and the log says what is wrong.</summary>
public sealed class CacheRefusalTests(ClusterFixture fixture)
{
    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Theory]
    [InlineData("password", "refuses the password")]
    [InlineData("TLS with a name", "refused (RemoteCertificateNameMismatch")]
    [InlineData("TLS with a time", "NotTimeValid")]
    [InlineData("TLS with an authority", "refused (UntrustedRoot)")]
    [InlineData("ACL", "may not run 'mget'")]
    [InlineData("ACL of scripts", "may not run 'evalsha'")]
    [InlineData("replica", "read-only replica")]
    public async Task Is_named_in_the_log_and_costs_nobody_an_answer(string refusal, string expected)
    {
        await using var encrypted = refusal.StartsWith("TLS", StringComparison.Ordinal)
            ? await TlsRedis.StartAsync(refusal == "TLS with a name" ? "cache.example" : "127.0.0.1", isExpired: refusal == "TLS with a time")
            : null;
        await using var redis = await RedisServer.StartAsync(new()
        {
            Password = refusal == "password" ? "s3cret" : null,
            Users = refusal switch
            {
                "ACL" => ["app on >pw ~* &* +@all -mget"],
                "ACL of scripts" => ["app on >pw ~* &* +@all -evalsha"],
                _ => [],
            },
        });
        await using var replica = refusal == "replica" ? await RedisServer.StartAsync(new() { ReplicaOf = redis }) : null;
        var options = MarkedNotes.To(encrypted?.Endpoint.ToString() ?? (replica ?? redis).Endpoint) with
        {
            UseTls = encrypted is not null,
            User = refusal.StartsWith("ACL", StringComparison.Ordinal) ? "app" : null,
            Password = refusal.StartsWith("ACL", StringComparison.Ordinal) ? "pw" : refusal == "password" ? "wr0ng" : null,
        };
        var process = CachedBlogs.Create(fixture.Cluster, c => c.Redis(options));

        await Eventually.ThatAsync(
            async () =>
            {
                await _notes.AddAsync(process);
                await _notes.AreRightAsync(process);
                Assert.Contains((await _notes.CountAsync(process)).Cache.Outcome, new[] { CacheOutcome.StoreUnavailable, CacheOutcome.Starting });
                return process.Events.Events.Any(e => e.Id is EfScalingEventId.StoreUnavailable or EfScalingEventId.StoreRefuses && e.Message.Contains(expected, StringComparison.Ordinal));
            },
            MarkedNotes.Patience,
            $"an event that says '{expected}'");
        Assert.DoesNotContain(process.Events.Events, e => e.Message.Contains("wr0ng", StringComparison.Ordinal));
        Assert.NotEqual(0, process.Events.Count(EfScalingEventId.WriteNotPublished));
    }
}
