using EfScaling.Routing;

namespace EfScaling.Tests.Routing;

public sealed class SqlWordsTests
{
    [Theory]
    [InlineData("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", false)]
    [InlineData("INSERT INTO t VALUES (1) ON CONFLICT (a) do\nUPDATE SET b = 1", false)]
    [InlineData("DO $$ BEGIN END $$", true)]
    [InlineData("DO 'NOTHING'", true)]
    public void The_DO_of_a_conflict_changes_no_schema(string sql, bool may) => Assert.Equal(may, SqlWords.MayChangeSchema(sql));

    [Theory]
    [InlineData("PREPARE TRANSACTION 'order-1'", true)]
    [InlineData("  prepare\ttransaction\n'' ;\n", true)]
    [InlineData("PREPARE TRANSACTION 'a'; DELETE FROM t", false)]
    [InlineData("DELETE FROM t; PREPARE TRANSACTION 'a'", false)]
    [InlineData("PREPARE TRANSACTION 'a''; DELETE FROM t; --'", false)]
    [InlineData(@"PREPARE TRANSACTION 'a\'; DELETE FROM t; --'", false)]
    [InlineData("PREPARE TRANSACTION E'a'", false)]
    [InlineData("PREPARE TRANSACTION /* it */ 'a'", false)]
    [InlineData("PREPARE statement AS DELETE FROM t", false)]
    [InlineData("COMMIT PREPARED 'a'", false)]
    public void Tells_a_statement_that_prepares_a_transaction_and_nothing_else(string sql, bool expected) =>
        Assert.Equal(expected, SqlWords.IsPrepareTransaction(sql));

    [Theory]
    [InlineData("ROLLBACK PREPARED 'order-1'", true)]
    [InlineData("rollback prepared 'order-1';", true)]
    [InlineData("ROLLBACK PREPARED 'a'; DELETE FROM t", false)]
    [InlineData("ROLLBACK PREPARED 'a''; DELETE FROM t; --'", false)]
    [InlineData("ROLLBACK", false)]
    [InlineData("COMMIT PREPARED 'a'", false)]
    public void Tells_a_statement_that_rolls_a_prepared_transaction_back_and_nothing_else(string sql, bool expected) =>
        Assert.Equal(expected, SqlWords.IsRollbackPrepared(sql));

    [Theory]
    [InlineData("COMMIT", true)]
    [InlineData("end;", true)]
    [InlineData("DELETE FROM t; Rollback", true)]
    [InlineData("ABORT", true)]
    [InlineData("SELECT 1; PREPARE TRANSACTION 'a'", true)]
    [InlineData("UPDATE ends SET committed = true", false)]
    public void Tells_what_may_end_a_transaction(string sql, bool expected) => Assert.Equal(expected, SqlWords.MayEndTransaction(sql));
}
