using System.Net.Sockets;
using EfScaling.Replication;
using Npgsql;

namespace EfScaling.Tests.Replication;

public sealed class NodeErrorTests
{
    [Fact]
    public void Says_what_the_server_answered_without_the_data_in_its_detail()
    {
        var answer = new PostgresException("duplicate key", "ERROR", "ERROR", PostgresErrorCodes.UniqueViolation, detail: "Key (name)=(Ada) already exists.");

        Assert.Equal("23505: duplicate key", NodeError.Describe(answer));
        Assert.Equal("23505: duplicate key", NodeError.Describe(new NpgsqlException("while reading", answer)));
    }

    [Fact]
    public void Says_the_innermost_cause()
    {
        var cause = new SocketException((int)SocketError.ConnectionRefused);

        Assert.Equal(cause.Message, NodeError.Describe(new NpgsqlException("Failed to connect", new InvalidOperationException("while connecting", cause))));
    }
}
