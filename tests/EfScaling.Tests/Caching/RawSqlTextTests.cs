using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

public sealed class RawSqlTextTests
{
    [Theory]
    [InlineData("""SELECT * FROM "AddOrder"(1)""")]
    [InlineData("""SELECT * FROM shop."AddOrder" (1)""")]
    [InlineData("""SELECT * FROM "Add Order!"(1)""")]
    [InlineData("""SELECT * FROM "add ""now"(1)""")]
    [InlineData("""SELECT '5"', "add_order"(1)""")]
    [InlineData("""SELECT "NOW"()""")]
    [InlineData("""SELECT "exists"(1)""")]
    [InlineData("SELECT * FROM add_order(1)")]
    [InlineData("SELECT * FROM add$lower(1)")]
    [InlineData("SELECT * FROM add_order/* now */ /**/ (1)")]
    [InlineData("SELECT * FROM add_order -- now\n(1)")]
    [InlineData("UPDATE orders SET id = 1")]
    public void A_call_of_what_is_not_known_may_write(string sql) => Assert.True(RawSqlText.MayWrite(sql));

    [Theory]
    [InlineData("""SELECT * FROM "Orders" WHERE "Id" IN (1, 2) AND ("Name" = 'x')""")]
    [InlineData("""SELECT "lower"("Name"), pg_catalog."upper" ("Name") FROM "Orders" """)]
    [InlineData("SELECT count(*) FROM orders WHERE EXISTS (SELECT 1) AND lower(name) = /* or */ ('x')")]
    [InlineData("SELECT now()")]
    public void A_query_that_calls_the_servers_functions_writes_nothing(string sql) => Assert.False(RawSqlText.MayWrite(sql));

    [Theory]
    [InlineData("SELECT now()", nameof(CacheObstacle.VolatileFunction))]
    [InlineData("""SELECT "now"()""", nameof(CacheObstacle.VolatileFunction))]
    [InlineData("""SELECT * FROM orders WHERE "Day" < pg_catalog."now" ()""", nameof(CacheObstacle.VolatileFunction))]
    [InlineData("SELECT now/**/()", nameof(CacheObstacle.VolatileFunction))]
    [InlineData("SELECT Current_Date", nameof(CacheObstacle.VolatileFunction))]
    [InlineData("""SELECT "current_setting"('x')""", nameof(CacheObstacle.SessionState))]
    [InlineData("""SELECT "now", random FROM orders""", nameof(CacheObstacle.RawSql))]
    [InlineData("""SELECT "AddOrder"(1)""", nameof(CacheObstacle.RawSql))]
    public void Declared_dependencies_lift_no_call_whose_value_changes_by_itself(string sql, string expected) =>
        Assert.Equal(expected, RawSqlText.Judge(sql).Obstacle.ToString());
}
