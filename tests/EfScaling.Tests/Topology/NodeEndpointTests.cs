using EfScaling.Topology;
using Npgsql;

namespace EfScaling.Tests.Topology;

public sealed class NodeEndpointTests
{
    [Theory]
    [InlineData("Host=a", "a:5432")]
    [InlineData("Host=Db.Example.COM;Port=6432", "db.example.com:6432")]
    [InlineData("Host=a:5433", "a:5433")]
    [InlineData("Host=a, b:5433 ,c;Port=6000", "a:6000 b:5433 c:6000")]
    [InlineData("Host=10.0.0.1,10.0.0.2:7000", "10.0.0.1:5432 10.0.0.2:7000")]
    [InlineData("Host=::1", "::1:5432")]
    [InlineData("Host=fe80::1:2", "fe80::1:2:5432")]
    [InlineData("Host=[::1]:5433", "[::1]:5433")]
    [InlineData("Host=/run/postgresql", "/run/postgresql:5432")]
    [InlineData("Host=/run/a:b;Port=5433", "/run/a:b:5433")]
    public void Reads_the_hosts_of_a_connection_string(string connectionString, string expected) =>
        Assert.Equal(expected, string.Join(' ', NodeEndpoint.Parse(new NpgsqlConnectionStringBuilder(connectionString))));

    [Theory]
    [InlineData("Database=x;Password=hidden", "'Host'")]
    [InlineData("Host=a:b;Password=hidden", "'a:b'")]
    public void Refuses_a_string_that_leads_to_no_server(string connectionString, string named)
    {
        var exception = Assert.Throws<ArgumentException>(() => NodeEndpoint.Parse(new NpgsqlConnectionStringBuilder(connectionString)));

        Assert.Contains(named, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", exception.Message, StringComparison.Ordinal);
    }
}
