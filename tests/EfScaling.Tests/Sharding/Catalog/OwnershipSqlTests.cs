using EfScaling.Sharding.Catalog;

namespace EfScaling.Tests.Sharding.Catalog;

public sealed class OwnershipSqlTests
{
    [Theory]
    [InlineData("INSERT INTO t (a) VALUES (@p0)")]
    [InlineData("UPDATE t SET a = @p0;\nUPDATE t SET a = @p1;")]
    [InlineData("-- a tag\n-- DELETE\n\nDELETE FROM t AS t")]
    public void A_statement_of_EF_that_writes_is_guarded(string text)
    {
        var guarded = OwnershipSql.Guard(text)!;

        Assert.StartsWith("WITH efscaling_gate AS (INSERT INTO efscaling.gate SELECT true WHERE NOT efscaling.enter(", guarded, StringComparison.Ordinal);
        Assert.EndsWith($"\n{text}", guarded, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("CALL p(@p0)")]
    [InlineData("WITH x AS (SELECT 1) UPDATE t SET a = 1")]
    [InlineData("-- only a tag")]
    [InlineData("")]
    public void Any_other_is_not(string text) => Assert.Null(OwnershipSql.Guard(text));
}
