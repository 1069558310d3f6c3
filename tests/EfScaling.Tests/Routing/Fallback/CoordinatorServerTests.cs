using EfScaling.Routing.Fallback;
using Npgsql;

namespace EfScaling.Tests.Routing.Fallback;

public sealed class CoordinatorServerTests
{
    [Theory]
    [InlineData("Host=a", "host E'a', port E'5432', dbname E'd', sslmode 'prefer', async")]
    [InlineData("Host=a,b:5433;Port=5439;SSL Mode=VerifyFull", "host E'a,b', port E'5439,5433', dbname E'd', sslmode 'verify-full', target_session_attrs 'primary', async")]
    [InlineData("Host=[::1]:5440;SSL Mode=Disable", "host E'::1', port E'5440', dbname E'd', sslmode 'disable', async")]
    public void Hosts_ports_and_security_are_those_of_the_application(string connectionString, string options) =>
        Assert.StartsWith(options, CoordinatorServer.OptionsOf(new NpgsqlConnectionStringBuilder($"{connectionString};Username=u;Password=secret"), "d"), StringComparison.Ordinal);

    [Fact]
    public void Neither_role_nor_password_is_among_them_and_names_are_quoted()
    {
        var options = CoordinatorServer.OptionsOf(new NpgsqlConnectionStringBuilder("Host=a;Username=role;Password=secret"), @"o'b\c");
        Assert.Contains(@"dbname E'o''b\\c'", options, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", options, StringComparison.Ordinal);
        Assert.DoesNotContain("role", options, StringComparison.Ordinal);
    }
}
