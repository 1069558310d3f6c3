using System.Text;
using EfScaling.Routing.Fallback;

namespace EfScaling.Tests.Routing.Fallback;

public sealed class CoordinatorNameTests
{
    [Fact]
    public void Short_names_can_be_read()
    {
        Assert.Equal("efscaling:north", CoordinatorName.OfServer("north"));
        Assert.Equal("efscaling:north:public", CoordinatorName.OfSchema("north", "public"));
        Assert.Equal("efscaling:xmin", CoordinatorName.OfSystemColumn("xmin"));
    }

    [Theory]
    [InlineData("a", "b:c", "a:b", "c")]
    [InlineData("north", "0123456789012345678901234567890123456789012345678901234567890a", "north", "0123456789012345678901234567890123456789012345678901234567890b")]
    [InlineData("ééééééééééééééééééééééééééééééééééé", "a", "ééééééééééééééééééééééééééééééééééé", "b")]
    [InlineData("𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏", "a", "𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏𝕏", "a")]
    public void Others_differ_all_the_same_and_are_not_cut_off(string shard, string schema, string otherShard, string otherSchema)
    {
        string[] names = [CoordinatorName.OfSchema(shard, schema), CoordinatorName.OfSchema(otherShard, otherSchema)];
        Assert.NotEqual(names[0], names[1]);
        Assert.All(names, n => Assert.InRange(Encoding.UTF8.GetByteCount(n), 1, 63));
        Assert.All(names, n => Assert.DoesNotContain('\uFFFD', Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(n))));
    }

    [Fact]
    public void Quotes_are_doubled() => Assert.Equal("\"a\"\"b\".\"c\"", CoordinatorName.Of("a\"b", "c"));
}
