using EfScaling.Consistency;
using EfScaling.Replication;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Tests.Replication;

public sealed class GuardedCommandTests
{
    [Fact]
    public void The_guard_stands_in_front_of_the_query_and_takes_its_parameters_along()
    {
        using var query = new NpgsqlCommand("SELECT @p0, @p1") { CommandTimeout = 7 };
        query.Parameters.AddWithValue("p0", 1);
        query.Parameters.AddWithValue("p1", "two");

        using var guarded = new GuardedCommand(query, new WalPosition(0x1_0000_0028), wait: null, columns: 2);

        Assert.StartsWith("SELECT 1 / (pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= @efscaling_position", guarded.CommandText, StringComparison.Ordinal);
        Assert.EndsWith(";\nSELECT @p0, @p1", guarded.CommandText, StringComparison.Ordinal);
        Assert.Equal(7, guarded.CommandTimeout);
        Assert.Empty(query.Parameters);
        Assert.Equal(["p0", "p1", "efscaling_position"], guarded.Parameters.Select(p => p.ParameterName));
        Assert.Equal(new NpgsqlLogSequenceNumber(0x1_0000_0028), guarded.Parameters[2].Value);
        Assert.False(guarded.IsBehind);
    }

    // The text of a position is no parameter there, so no statement is prepared twice for it.
    [Theory]
    [InlineData(0x1_0000_0028, 50, "WAIT FOR LSN '1/28' WITH (TIMEOUT '50ms', NO_THROW);\n")]
    [InlineData(0xFF, 0, "WAIT FOR LSN '0/FF' WITH (TIMEOUT '1ms', NO_THROW);\n")] // zero would wait without end
    public void A_server_that_can_wait_does_so_in_front_of_the_guard(ulong position, int milliseconds, string expected)
    {
        using var query = new NpgsqlCommand("SELECT 1");
        using var guarded = new GuardedCommand(query, new WalPosition(position), milliseconds.Milliseconds(), columns: 1);

        Assert.StartsWith(expected + "SELECT 1 / (", guarded.CommandText, StringComparison.Ordinal);
    }
}
