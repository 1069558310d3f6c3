using EfScaling.Caching.Redis;

namespace EfScaling.Tests.Caching.Redis;

public sealed class RedisOptionsTests
{
    [Fact]
    public void Reads_the_configuration_of_StackExchange_Redis()
    {
        var options = RedisOptions.Parse("redis-1:6380, redis-2,user=app,password=a=b,ssl=True,sslHost=cache.example,defaultDatabase=3,connectTimeout=500,abortConnect=false,maxWait=20");

        Assert.Equal([new("redis-1", 6380), new("redis-2", 6379)], options.Endpoints);
        Assert.Equal(("app", "a=b", true, "cache.example", 3), (options.User, options.Password, options.UseTls, options.TlsHost, options.Database));
        Assert.Equal((500, 20), (options.ConnectTimeout.TotalMilliseconds, options.MaxWait.TotalMilliseconds));
    }

    [Fact]
    public void Servers_are_sentinels_when_a_service_is_named()
    {
        var options = RedisOptions.Parse("s1,s2:5000,serviceName=mymaster,sentinelPassword=x");

        Assert.Equal([new("s1", 26379), new("s2", 5000)], options.Endpoints);
        Assert.Equal(("mymaster", "x"), (options.ServiceName, options.SentinelPassword));
    }

    [Theory]
    [InlineData("::1", "::1", 6379)]
    [InlineData("[::1]:7000", "::1", 7000)]
    [InlineData("[fe80::1]", "fe80::1", 6379)]
    public void Reads_addresses_of_version_6(string text, string host, int port) => Assert.Equal(new RedisEndpoint(host, port), RedisOptions.Parse(text).Endpoints.Single());

    [Theory]
    [InlineData("password=s3cret")]
    [InlineData("redis,proxy=s3cret")]
    [InlineData("redis,ssl=s3cret")]
    [InlineData("redis,defaultDatabase=s3cret")]
    [InlineData("redis:s")]
    public void What_it_cannot_follow_is_refused_without_repeating_the_value(string configuration) =>
        Assert.DoesNotContain("s3cret", Assert.ThrowsAny<ArgumentException>(() => RedisOptions.Parse(configuration)).Message, StringComparison.Ordinal);

    [Fact]
    public void Its_text_names_the_server_and_holds_no_secret()
    {
        var options = RedisOptions.Parse("redis:6379,user=u5er,password=s3cret,sentinelPassword=s3cret");

        Assert.Equal("redis redis:6379", options.ToString());
        Assert.Equal("redis mymaster of s1:26379", RedisOptions.Parse("s1,serviceName=mymaster,password=s3cret").ToString());
    }

    [Fact]
    public void Equal_settings_are_equal()
    {
        const string Configuration = "a,b:1,password=x,defaultDatabase=2";

        Assert.Equal(RedisOptions.Parse(Configuration), RedisOptions.Parse(Configuration));
        Assert.Equal(RedisOptions.Parse(Configuration).GetHashCode(), RedisOptions.Parse(Configuration).GetHashCode());
    }

    [Fact]
    public void Each_setting_takes_part_in_equality()
    {
        var options = RedisOptions.Parse("a");
        RedisOptions[] others =
        [
            options with { Endpoints = [new("b", 6379)] },
            options with { ServiceName = "x" },
            options with { User = "x" },
            options with { Password = "x" },
            options with { SentinelUser = "x" },
            options with { SentinelPassword = "x" },
            options with { UseTls = true },
            options with { TlsHost = "x" },
            options with { CertificateValidation = (_, certificate, _, _) => certificate is not null },
            options with { Database = 1 },
            options with { MaxWait = TimeSpan.FromMilliseconds(7) },
            options with { ConnectTimeout = TimeSpan.FromMilliseconds(7) },
            options with { Heartbeat = TimeSpan.FromMilliseconds(7) },
            options with { FailuresToOpen = 7 },
            options with { OpenTime = TimeSpan.FromMilliseconds(7) },
            options with { MaxOpenTime = TimeSpan.FromMilliseconds(7) },
            options with { MaxEntrySize = 7 },
        ];

        Assert.Equal(typeof(RedisOptions).GetProperties().Count(p => p.SetMethod is not null), others.Length);
        Assert.All(others, o => Assert.NotEqual(options, o));
    }

    [Fact]
    public void Values_out_of_range_are_refused()
    {
        var options = RedisOptions.Parse("a");

        Assert.Throws<ArgumentOutOfRangeException>(() => options with { MaxWait = TimeSpan.Zero });
        Assert.Throws<ArgumentOutOfRangeException>(() => options with { Heartbeat = TimeSpan.FromHours(1) });
        Assert.Throws<ArgumentOutOfRangeException>(() => options with { Database = -1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => options with { FailuresToOpen = 0 });
        Assert.Throws<ArgumentException>(() => options with { Endpoints = [] });
    }
}
