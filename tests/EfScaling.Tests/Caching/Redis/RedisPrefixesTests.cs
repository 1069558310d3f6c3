using EfScaling.Caching.Redis;

namespace EfScaling.Tests.Caching.Redis;

public sealed class RedisPrefixesTests
{
    [Theory]
    [InlineData("efs:{shop}:v:public.orders", "efs:{shop}:v:")]
    [InlineData("efs:{shop}:v:a:b", "efs:{shop}:v:")]
    [InlineData("efs:{shop}:w", "efs:{shop}:w")]
    [InlineData("efs:{a:b}:g:tag", "efs:{a:b}:g:")]
    [InlineData("v:1", "v:")]
    [InlineData("version", "version")]
    public void Is_what_the_versions_of_one_kind_share(string key, string prefix) => Assert.Equal(prefix, RedisPrefixes.Of(key).ToString());
}
