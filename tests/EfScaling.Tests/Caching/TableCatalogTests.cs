using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

public sealed class TableCatalogTests
{
    private static readonly TableCatalog _catalog = new(
        [
            Table("a.orders"),
            Table("b.orders"),
            Table("b.items"),
            Table("s.parent"),
            Table("s.child", "s.parent"),
            Table("s.grandchild", "s.child"),
            Table("s.sibling", "s.parent"),
            Table("s.other"),
            Table("s.both", "s.parent", "s.other"),
            Relation("s.measures", RelationKind.PartitionedTable),
            Relation("s.measures_1", RelationKind.PartitionedTable) with { Parents = [Name("s.measures")] },
            Table("s.measures_1_a", "s.measures_1"),
            Table("s.measures_2", "s.measures"),
            Table("s.notes"),
            Table("k.root"),
            Table("k.cascaded"),
            Table("k.deep"),
            Table("k.nulled"),
            Table("k.renamed"),
            Table("k.refusing"),
            Table("k.self"),
            Table("k.ring_1"),
            Table("k.ring_2"),
            Table("k.followed"),
            Table("t.triggered") with { HasTriggers = true },
            Table("t.above"),
            Table("t.ruled") with { HasRewrittenWrites = true },
            Table("t.above_rule"),
            Table("r.secured") with { HasRowSecurity = true, References = [Name("b.items")], PolicyFunctions = [new("current_setting", 1, true)] },
            Table("r.timed") with { HasRowSecurity = true, PolicyFunctions = [new("now", 0, true)] },
            Table("r.judged") with { HasRowSecurity = true, PolicyFunctions = [new("is_member", 1, false)] },
            Relation("f.foreign", RelationKind.ForeignTable),
            Relation("f.mixed", RelationKind.PartitionedTable),
            Relation("f.part", RelationKind.ForeignTable) with { Parents = [Name("f.mixed")] },
            Relation("f.sequence", RelationKind.Other),
            View("v.orders", "b.orders"),
            View("v.joined", "v.orders", "b.items"),
            View("v.parent", "s.parent"),
            View("v.secured", "r.secured"),
            View("v.foreign", "b.items", "f.foreign"),
            View("v.system", "b.items") with { ReadsSystemCatalog = true },
            View("v.now", "b.items") with { Functions = [new("now", 0, true)] },
            View("v.over_now", "v.now"),
            View("v.user", "b.items") with { Functions = [new("current_user", 0, true)] },
            View("v.own", "b.items") with { Functions = [new("lower", 1, false)] },
            View("v.zoned", "b.items") with { Functions = [new("date", 1, true), new("to_char", 2, true)] },
            View("v.constant"),
            View("v.instead", "b.items") with { HasTriggers = true, HasRewrittenWrites = true },
            View("v.over_instead", "v.instead"),
            Relation("v.kept", RelationKind.MaterializedView) with { References = [Name("b.items")], Functions = [new("random", 0, true)] },
            View("v.over_kept", "v.kept"),
        ],
        [
            Key("k.cascaded", "k.root", ForeignKeyAction.Cascade, ForeignKeyAction.None),
            Key("k.deep", "k.cascaded", ForeignKeyAction.Cascade, ForeignKeyAction.None),
            Key("k.nulled", "k.root", ForeignKeyAction.Set, ForeignKeyAction.None),
            Key("k.followed", "k.nulled", ForeignKeyAction.None, ForeignKeyAction.Cascade),
            Key("k.refusing", "k.nulled", ForeignKeyAction.Cascade, ForeignKeyAction.None),
            Key("k.renamed", "k.root", ForeignKeyAction.None, ForeignKeyAction.Cascade),
            Key("k.self", "k.self", ForeignKeyAction.Cascade, ForeignKeyAction.Cascade),
            Key("k.ring_1", "k.ring_2", ForeignKeyAction.Cascade, ForeignKeyAction.None),
            Key("k.ring_2", "k.ring_1", ForeignKeyAction.Cascade, ForeignKeyAction.None),
            Key("s.notes", "s.measures", ForeignKeyAction.Cascade, ForeignKeyAction.None),
            Key("t.triggered", "t.above", ForeignKeyAction.Cascade, ForeignKeyAction.None),
            Key("t.ruled", "t.above_rule", ForeignKeyAction.Cascade, ForeignKeyAction.None),
        ],
        ["a", "b"]);

    [Theory]
    [InlineData("orders", "a.orders")]
    [InlineData("items", "b.items")]
    [InlineData("b.orders", "b.orders")]
    [InlineData("c.orders", null)]
    [InlineData("Orders", null)]
    [InlineData("parent", null)]
    [InlineData("pg_class", null)]
    [InlineData("pg_catalog.pg_class", null)]
    public void Finds_names_as_the_server_does(string name, string? expected) => Assert.Equal(expected, _catalog.Resolve(Name(name))?.Key);

    [Fact]
    public void A_name_that_the_system_may_have_is_not_looked_for_further()
    {
        CatalogRelation[] relations = [Table("a.pg_mine"), Table("a.tables"), Table("b.x"), Table("a.x")];

        Assert.Null(new TableCatalog(relations, [], ["a"]).Resolve(Name("pg_mine")));
        Assert.Null(new TableCatalog(relations, [], ["information_schema", "a"]).Resolve(Name("tables")));
        Assert.Equal("a.tables", new TableCatalog(relations, [], ["a", "information_schema"]).Resolve(Name("tables"))?.Key);
        Assert.Equal("b.x", new TableCatalog(relations, [], ["pg_catalog", "b", "a"]).Resolve(Name("x"))?.Key);
        Assert.Null(new TableCatalog(relations, [], []).Resolve(Name("x")));
    }

    [Theory]
    [InlineData("orders", "a.orders")]
    [InlineData("orders b.orders orders", "a.orders b.orders")]
    [InlineData("s.parent", "s.parent")]
    [InlineData("s.measures", "s.measures")]
    [InlineData("v.orders", "b.orders")]
    [InlineData("v.joined", "b.items b.orders")]
    [InlineData("v.joined orders", "a.orders b.items b.orders")]
    [InlineData("v.parent", "s.parent")]
    [InlineData("v.kept", "v.kept")]
    [InlineData("v.over_kept", "v.kept")]
    [InlineData("v.zoned", "b.items")]
    [InlineData("v.constant", "")]
    [InlineData("v.instead", "b.items")]
    [InlineData("t.ruled t.triggered", "t.ruled t.triggered")]
    public void Follows_views_to_their_tables(string names, string expected) =>
        AssertEqual(new ReadSet([.. Names(expected)], false, null), _catalog.ReadSet(Names(names)));

    [Theory]
    [InlineData("missing", nameof(CacheObstacle.UnknownTable), "missing")]
    [InlineData("orders c.missing", nameof(CacheObstacle.UnknownTable), "c.missing")]
    [InlineData("pg_class", nameof(CacheObstacle.UnknownTable), "pg_class")]
    [InlineData("f.sequence", nameof(CacheObstacle.UnknownTable), "f.sequence")]
    [InlineData("f.foreign", nameof(CacheObstacle.ForeignTable), "f.foreign")]
    [InlineData("f.mixed", nameof(CacheObstacle.ForeignTable), "f.mixed")]
    [InlineData("v.foreign", nameof(CacheObstacle.ForeignTable), "f.foreign")]
    [InlineData("v.system", nameof(CacheObstacle.SystemCatalog), "v.system")]
    [InlineData("v.now", nameof(CacheObstacle.VolatileFunction), "now in v.now")]
    [InlineData("v.over_now", nameof(CacheObstacle.VolatileFunction), "now in v.now")]
    [InlineData("v.user", nameof(CacheObstacle.SessionState), "current_user in v.user")]
    [InlineData("v.own", nameof(CacheObstacle.UnknownFunction), "lower in v.own")]
    [InlineData("r.timed", nameof(CacheObstacle.VolatileFunction), "now in r.timed")]
    [InlineData("r.judged", nameof(CacheObstacle.UnknownFunction), "is_member in r.judged")]
    public void Refuses_what_changes_without_a_write(string names, string obstacle, string detail)
    {
        var refusal = _catalog.ReadSet(Names(names)).Obstacle;

        Assert.Equal(obstacle, refusal?.Obstacle.ToString());
        Assert.Equal(detail, refusal?.Detail);
    }

    [Theory]
    [InlineData("r.secured", "b.items r.secured")]
    [InlineData("v.secured", "b.items r.secured")]
    public void Row_security_is_told_apart_and_its_policies_are_followed(string names, string expected) =>
        AssertEqual(new ReadSet([.. Names(expected)], true, null), _catalog.ReadSet(Names(names)));

    [Theory]
    [InlineData("orders", "*", "a.orders")]
    [InlineData("s.parent", "*", "s.both s.child s.grandchild s.other s.parent s.sibling")]
    [InlineData("s.child", "*", "s.child s.grandchild s.parent")]
    [InlineData("s.grandchild", "*", "s.child s.grandchild s.parent")]
    [InlineData("s.both", "*", "s.both s.other s.parent")]
    [InlineData("s.other", "*", "s.both s.other s.parent")]
    [InlineData("s.measures_1_a", "Insert", "s.measures s.measures_1 s.measures_1_a")]
    [InlineData("s.measures_2", "Insert", "s.measures s.measures_2")]
    [InlineData("s.measures", "Insert", "s.measures s.measures_1 s.measures_1_a s.measures_2")]
    [InlineData("s.measures", "Delete", "s.measures s.measures_1 s.measures_1_a s.measures_2 s.notes")]
    [InlineData("s.measures", "Update", "s.measures s.measures_1 s.measures_1_a s.measures_2 s.notes")]
    [InlineData("k.root", "Insert", "k.root")]
    [InlineData("k.root", "Update", "k.renamed k.root")]
    [InlineData("k.root", "Delete", "k.cascaded k.deep k.followed k.nulled k.root")]
    [InlineData("k.cascaded", "Delete", "k.cascaded k.deep")]
    [InlineData("k.deep", "Delete", "k.deep")]
    [InlineData("k.nulled", "Update", "k.followed k.nulled")]
    [InlineData("k.nulled", "Delete", "k.nulled k.refusing")]
    [InlineData("k.self", "*", "k.self")]
    [InlineData("k.ring_1", "Delete", "k.ring_1 k.ring_2")]
    [InlineData("k.ring_1", "Update", "k.ring_1")]
    [InlineData("v.orders", "*", "b.orders")]
    [InlineData("v.joined", "*", "b.items b.orders")]
    [InlineData("v.parent", "*", "s.both s.child s.grandchild s.other s.parent s.sibling")]
    [InlineData("t.triggered", "*", "t.triggered")]
    [InlineData("t.above_rule", "Insert", "t.above_rule")]
    [InlineData("t.above_rule", "Delete", null)]
    [InlineData("t.ruled", "*", null)]
    [InlineData("v.instead", "*", null)]
    [InlineData("v.over_instead", "*", null)]
    [InlineData("v.kept", "*", null)]
    [InlineData("f.foreign", "*", null)]
    [InlineData("f.mixed", "*", null)]
    [InlineData("v.foreign", "*", null)]
    [InlineData("f.sequence", "*", null)]
    [InlineData("missing", "*", null)]
    [InlineData("pg_catalog.pg_class", "*", null)]
    public void Follows_a_write_to_all_tables_that_it_may_change(string name, string kind, string? expected) =>
        Assert.All(
            Enum.GetValues<WriteKind>().Where(k => kind == "*" || kind == k.ToString()),
            k => Assert.Equal(expected, _catalog.WriteSet(Name(name), k) is { } tables ? string.Join(' ', tables) : null));

    [Fact]
    public void What_is_written_is_among_what_a_reader_depends_on()
    {
        string[] tables = ["a.orders", "s.parent", "s.child", "s.grandchild", "s.both", "s.measures", "s.measures_1", "s.measures_1_a", "k.root", "k.self"];

        Assert.All(tables, table => Assert.Contains(_catalog.WriteSet(Name(table), WriteKind.Insert)!, _catalog.ReadSet([Name(table)]).Tables.Contains));
    }

    [Fact]
    public void Lists_the_tables_with_triggers() => Assert.Equal(["t.triggered", "v.instead"], _catalog.TablesWithTriggers.Select(t => t.Key));

    private static void AssertEqual(ReadSet expected, ReadSet actual)
    {
        Assert.Equal(expected.Tables, actual.Tables);
        Assert.Equal(expected.HasRowSecurity, actual.HasRowSecurity);
        Assert.Equal(expected.Obstacle, actual.Obstacle);
    }

    private static CatalogRelation Table(string name, params string[] parents) => Relation(name, RelationKind.Table) with { Parents = [.. parents.Select(Name)] };

    private static CatalogRelation View(string name, params string[] references) => Relation(name, RelationKind.View) with { References = [.. references.Select(Name)] };

    private static CatalogRelation Relation(string name, RelationKind kind) => new(Name(name), kind);

    private static ForeignKey Key(string from, string to, ForeignKeyAction onDelete, ForeignKeyAction onUpdate) => new(Name(from), Name(to), onDelete, onUpdate);

    private static IEnumerable<TableName> Names(string names) => names.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Name);

    private static TableName Name(string name) => name.Split('.') is [var schema, var table] ? new(schema, table) : new(null, name);
}
