using EfScaling.Routing.Checks;

namespace EfScaling.Tests.Routing.Checks;

public sealed class SchemaComparisonTests
{
    private static readonly string[] _shards = ["a", "b", "c"];

    [Fact]
    public void What_most_shards_have_counts_as_right() =>
        Assert.Equal(
            ["shard 'b' has column public.t.x as \"text\", and others as \"integer\"", "shard 'c' lacks index public.t.i", "shard 'c' has index public.t.j, which most others lack"],
            Compare(
                [(("table", "public.t"), "r"), (("column", "public.t.x"), "integer"), (("index", "public.t.i"), "i")],
                [(("table", "public.t"), "r"), (("column", "public.t.x"), "text"), (("index", "public.t.i"), "i")],
                [(("table", "public.t"), "r"), (("column", "public.t.x"), "integer"), (("index", "public.t.j"), "j")]));

    [Fact]
    public void Of_a_table_that_is_missing_or_too_many_nothing_else_is_told() =>
        Assert.Equal(
            ["shard 'b' lacks table public.t", "shard 'c' has table public.u, which most others lack"],
            Compare(
                [(("table", "public.t"), "r"), (("column", "public.t.x"), "integer")],
                [],
                [(("table", "public.t"), "r"), (("column", "public.t.x"), "integer"), (("table", "public.u"), "r"), (("column", "public.u.x"), "integer")]));

    [Fact]
    public void A_migration_that_one_shard_has_is_lacked_by_all_others() =>
        Assert.Equal(["shard 'b' lacks migration 2", "shard 'c' lacks migration 2"], Compare([(("migration", "2"), "")], [], []));

    [Fact]
    public void A_migration_that_no_shard_has_is_lacked_by_all() =>
        Assert.Equal(
            ["shard 'a' lacks migration 3", "shard 'b' lacks migration 3", "shard 'c' lacks migration 3"],
            SchemaComparison.Compare(_shards, [.. _shards.Select(_ => new Dictionary<(string, string), string>())], ["3"]).Select(d => d.ToString()));

    private static IEnumerable<string> Compare(params ((string Kind, string Name) Item, string Definition)[][] schemas) =>
        SchemaComparison.Compare(_shards, [.. schemas.Select(s => s.ToDictionary(i => i.Item, i => i.Definition))], []).Select(d => d.ToString());
}
