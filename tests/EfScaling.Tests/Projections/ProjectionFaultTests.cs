using System.Net.Sockets;
using EfScaling.Projections;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Projections;

public sealed class ProjectionFaultTests
{
    public static TheoryData<Exception, bool> Faults => new()
    {
        { new InvalidOperationException("wrong"), false },
        { new DbUpdateException("wrong", new InvalidOperationException()), false },
        { new TimeoutException(), true },
        { new IOException(), true },
        { new InvalidOperationException("wrapped", new SocketException()), true },
        { new ProjectionStoreException(new InvalidOperationException()), true },
        { new TaskCanceledException(), true },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Surroundings_are_told_from_keys(Exception exception, bool isTransient) => Assert.Equal(isTransient, ProjectionFault.IsTransient(exception));

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
}
