using System.Net.Sockets;
using EfScaling.Projections;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.Tests.Projections;

public sealed class ProjectionFaultTests
{
    public static TheoryData<Exception, bool> Faults => new()
    {
        { new InvalidOperationException("wrong"), false },
        { new DbUpdateException("wrong", new InvalidOperationException()), false },
        { new TimeoutException(), false },
        { new IOException(), false },
        { new TaskCanceledException(), false },
        { new NpgsqlException("The command took too long", new TimeoutException()), false },
        { Refusal("40P01"), false },
        { Refusal("57014"), false },
        { new ProjectionStoreException(new InvalidOperationException()), true },
        { new InvalidOperationException("wrapped", new NpgsqlException("Nobody listens", new SocketException())), true },
        { new DbUpdateException("wrapped", new NpgsqlException("The stream broke", new EndOfStreamException())), true },
        { Refusal("08006"), true },
        { Refusal("25006"), true },
        { Refusal("53300"), true },
        { Refusal("57P01"), true },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Outages_are_told_from_faults_of_keys(Exception exception, bool isOutage) => Assert.Equal(isOutage, ProjectionFault.IsOutage(exception));

    [Theory]
    [InlineData("broken", "InvalidOperationException: broken")]
    [InlineData("broken\nDETAIL: row (1, 2)", "InvalidOperationException: broken")]
    [InlineData("broken\r\nmore", "InvalidOperationException: broken")]
    [InlineData("Host=db;Password=hunter2;Username=app", "InvalidOperationException: Host=db;Password=***;Username=app")]
    [InlineData("pwd = 'hunter 2' refused", "InvalidOperationException: pwd=*** refused")]
    [InlineData("AccessToken: hunter2", "InvalidOperationException: AccessToken=***")]
    public void Reason_is_the_first_line_without_secrets(string message, string reason) =>
        Assert.Equal(reason, ProjectionFault.Describe(new DbUpdateException("outer", new InvalidOperationException(message))));

    [Fact]
    public void Reason_is_short() => Assert.Equal(300, ProjectionFault.Describe(new InvalidOperationException(new string('x', 5000))).Length);

    private static PostgresException Refusal(string state) => new("refused", "ERROR", "ERROR", state);
}
