using System.Net.Sockets;
using EfScaling.Replication;
using Npgsql;

namespace EfScaling.Tests.Replication;

public sealed class ReadFailureClassifierTests
{
    [Theory]
    [InlineData("40001", nameof(ReadFailure.RecoveryConflict))] // canceling statement due to conflict with recovery
    [InlineData("40P01", nameof(ReadFailure.RecoveryConflict))]
    [InlineData("53300", nameof(ReadFailure.Busy))]
    [InlineData("25006", nameof(ReadFailure.NeedsPrimary))]
    [InlineData("42P01", nameof(ReadFailure.SchemaBehind))]
    [InlineData("42703", nameof(ReadFailure.SchemaBehind))]
    [InlineData("42883", nameof(ReadFailure.SchemaBehind))]
    [InlineData("42704", nameof(ReadFailure.SchemaBehind))]
    [InlineData("3F000", nameof(ReadFailure.SchemaBehind))]
    [InlineData("57P01", nameof(ReadFailure.Node))]
    [InlineData("57P02", nameof(ReadFailure.Node))]
    [InlineData("57P03", nameof(ReadFailure.Node))]
    [InlineData("57P04", nameof(ReadFailure.Node))]
    [InlineData("57P05", nameof(ReadFailure.SessionEnded))] // idle_session_timeout
    [InlineData("3D000", nameof(ReadFailure.Node))]
    [InlineData("28P01", nameof(ReadFailure.Node))]
    [InlineData("28000", nameof(ReadFailure.Node))]
    [InlineData("53100", nameof(ReadFailure.Node))]
    [InlineData("53200", nameof(ReadFailure.Troubled))]
    [InlineData("08000", nameof(ReadFailure.Node))]
    [InlineData("08006", nameof(ReadFailure.Node))]
    [InlineData("08P01", nameof(ReadFailure.Node))]
    [InlineData("58030", nameof(ReadFailure.Node))]
    [InlineData("58P01", nameof(ReadFailure.Node))]
    [InlineData("XX000", nameof(ReadFailure.Troubled))]
    [InlineData("XX001", nameof(ReadFailure.Node))]
    [InlineData("XX002", nameof(ReadFailure.Node))]
    [InlineData("57014", nameof(ReadFailure.Query))] // cancelled by the caller or by statement_timeout
    [InlineData("22012", nameof(ReadFailure.Query))] // division by zero
    [InlineData("42601", nameof(ReadFailure.Query))] // syntax error
    [InlineData("42501", nameof(ReadFailure.SchemaBehind))] // a grant that has not been replayed
    [InlineData("21000", nameof(ReadFailure.Query))]
    [InlineData("0A000", nameof(ReadFailure.NeedsPrimary))]
    [InlineData("25P02", nameof(ReadFailure.Query))]
    public void Answers_of_the_server_go_by_their_code(string sqlState, string expected)
    {
        var exception = new PostgresException("message", "ERROR", "ERROR", sqlState);

        Assert.All(
            [(false, false), (false, true), (true, false), (true, true)],
            state => Assert.Equal(expected, ReadFailureClassifier.Classify(exception, wasOpen: state.Item1, isPoolFull: state.Item2).ToString()));
    }

    [Theory]
    [InlineData("refused connection", false, false, nameof(ReadFailure.Node))]
    [InlineData("refused connection", false, true, nameof(ReadFailure.Node))]
    [InlineData("lost connection", true, false, nameof(ReadFailure.Node))]
    [InlineData("lost connection", true, true, nameof(ReadFailure.Node))]
    [InlineData("time-out", false, false, nameof(ReadFailure.Node))] // of connecting
    [InlineData("time-out", false, true, nameof(ReadFailure.Busy))] // of waiting for a free connection
    [InlineData("time-out", true, false, nameof(ReadFailure.TimedOut))] // of the query
    [InlineData("time-out", true, true, nameof(ReadFailure.TimedOut))]
    [InlineData("rejected session", false, false, nameof(ReadFailure.Node))]
    [InlineData("cancellation", true, false, nameof(ReadFailure.Query))]
    [InlineData("error of the application", true, false, nameof(ReadFailure.Query))]
    [InlineData("error of the mapping", true, false, nameof(ReadFailure.Query))]
    public void Other_failures_go_by_what_broke(string failure, bool wasOpen, bool isPoolFull, string expected)
    {
        Exception exception = failure switch
        {
            "refused connection" => new NpgsqlException("Failed to connect", new SocketException((int)SocketError.ConnectionRefused)),
            "lost connection" => new NpgsqlException("Exception while reading from stream", new EndOfStreamException()),
            "time-out" => new NpgsqlException("The operation has timed out", new TimeoutException()),
            "rejected session" => new NodeRejectedException("replica:5432", Freshness.NotAReplica),
            "cancellation" => new OperationCanceledException(),
            "error of the application" => new InvalidOperationException(),
            _ => new InvalidCastException(),
        };

        Assert.Equal(expected, ReadFailureClassifier.Classify(exception, wasOpen, isPoolFull).ToString());
    }
}
