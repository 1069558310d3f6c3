using System.Text;
using EfScaling.Caching.Redis;

namespace EfScaling.Tests.Caching.Redis;

public sealed class RedisErrorTests
{
    public static TheoryData<string, string, string, string> Errors => new()
    {
        { "NOAUTH Authentication required.", "hello", nameof(RedisFailureKind.Denied), "password" },
        { "WRONGPASS invalid username-password pair or user is disabled.", "hello", nameof(RedisFailureKind.Denied), "'app'" },
        { "NOPERM User app has no permissions to run the 'evalsha' command", "evalsha", nameof(RedisFailureKind.Denied), "may not run 'evalsha' (ACL); allow it with ACL SETUSER app +evalsha" },
        { "NOPERM this user has no permissions to run the 'client|tracking' command or its subcommand", "x", nameof(RedisFailureKind.Denied), "'client|tracking'" },
        { "NOPERM this user has no permissions to run the 'mget' command", "mget", nameof(RedisFailureKind.Denied), "'mget'" },
        { "NOPERM No permissions to access a key", "set", nameof(RedisFailureKind.Denied), "keys" },
        { "NOPERM this user has no permissions to access one of the keys used as arguments", "set", nameof(RedisFailureKind.Denied), "keys" },
        { "ERR ACL failure in script: User app has no permissions to run the 'incr' command script: 00", "evalsha", nameof(RedisFailureKind.Denied), "'incr'" },
        { "ERR The user executing the script can't run this command or subcommand script: 00", "evalsha", nameof(RedisFailureKind.Denied), "'evalsha'" },
        { "READONLY You can't write against a read only replica.", "set", nameof(RedisFailureKind.ReadOnly), "replica" },
        { "OOM command not allowed when used memory > 'maxmemory'.", "set", nameof(RedisFailureKind.OutOfMemory), "maxmemory" },
        { "LOADING Redis is loading the dataset in memory", "set", nameof(RedisFailureKind.Busy), "loads" },
        { "MISCONF Redis is configured to save RDB snapshots", "set", nameof(RedisFailureKind.Refused), "disk" },
        { "MOVED 3999 127.0.0.1:6381", "mget", nameof(RedisFailureKind.Clustered), "cluster" },
        { "CLUSTERDOWN Hash slot not served", "mget", nameof(RedisFailureKind.Clustered), "cluster" },
        { "ERR max number of clients reached", "hello", nameof(RedisFailureKind.Refused), "max number of clients reached" },
        { "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 's3cret' ", "hello", nameof(RedisFailureKind.Refused), "does not know 'hello'" },
        { "STRANGE s3cret", "set", nameof(RedisFailureKind.Refused), "STRANGE" },
        { "s3cret", "set", nameof(RedisFailureKind.Refused), "without a code" },
        { "ERR bad thing: 's3cret'", "set", nameof(RedisFailureKind.Refused), "bad thing" },
    };

    [Theory]
    [MemberData(nameof(Errors))]
    public void Says_what_to_do_and_no_secret(string error, string command, string kind, string expected)
    {
        var failure = RedisError.Read(Encoding.UTF8.GetBytes(error), command, "app");

        Assert.Equal(kind, failure.Kind.ToString());
        Assert.Contains(expected, failure.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", failure.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("READONLY x", true)]
    [InlineData("LOADING x", true)]
    [InlineData("MASTERDOWN x", true)]
    [InlineData("NOAUTH x", true)]
    [InlineData("OOM x", false)]
    [InlineData("NOPERM the 'get' command", false)]
    public void A_server_of_no_use_is_left(string error, bool ends) => Assert.Equal(ends, RedisError.Read(Encoding.UTF8.GetBytes(error), "set", null).EndsConnection);

    [Fact]
    public void Each_kind_has_a_tag_of_its_own() =>
        Assert.Equal(Enum.GetValues<RedisFailureKind>().Length, Enum.GetValues<RedisFailureKind>().Select(k => new RedisFailure(k, "").Tag).Distinct().Count());
}
