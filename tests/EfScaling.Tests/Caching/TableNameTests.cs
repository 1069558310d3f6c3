using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

public sealed class TableNameTests
{
    [Theory]
    [InlineData(null, "orders", "orders")]
    [InlineData("shop", "Orders_2", "shop.Orders_2")]
    [InlineData("a.b", "c", "a%002Eb.c")]
    [InlineData("a", "b.c", "a.b%002Ec")]
    [InlineData(null, "a.b", "a%002Eb")]
    [InlineData("", "a", ".a")]
    [InlineData("s", "with space", "s.with%0020space")]
    [InlineData("s", "100%", "s.100%0025")]
    [InlineData("s", "größe", "s.gr%00F6%00DFe")]
    [InlineData("s", "a\n:|{}", "s.a%000A%003A%007C%007B%007D")]
    public void A_key_holds_no_separator(string? schema, string name, string key) => Assert.Equal(key, new TableName(schema, name).Key);

    [Fact]
    public void Different_names_have_different_keys()
    {
        string?[] parts = [null, "", "a", "A", ".", "%", "%002E", "a.b", "a%002Eb", " ", "ä", "\u0308a", "_", "0", "\ud800", "\ud801"];
        var names = (from schema in parts from name in parts where name is not null select new TableName(schema, name)).ToList();

        Assert.Equal(names.Count, names.Select(n => n.Key).Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void Names_without_a_schema_come_first() =>
        Assert.Equal(
            ["b", "A.z", "a.a", "a.b"],
            new[] { new TableName("a", "b"), new("a", "a"), new(null, "b"), new("A", "z") }.Order().Select(n => n.Key));
}
