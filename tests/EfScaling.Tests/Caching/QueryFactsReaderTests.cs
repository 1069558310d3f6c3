using System.Collections;
using System.Linq.Expressions;
using EfScaling.Caching;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Tests.Caching;

public sealed class QueryFactsReaderTests
{
    private const string Author = "shop.Authors";
    private const string Book = "store.books";

    private static readonly int[] _numbers = [1, 2, 3];

#pragma warning disable RS0030 // The queries are translated to the server's now(); nothing reads this machine's clock.
    private static readonly Dictionary<string, (Func<FactsContext, IQueryable> Query, string[] Tables)> _queries = new()
    {
        ["filter"] = (c => c.Books.Where(b => b.Price > 10), [Book]),
        ["parameter"] = (c => c.Books.Where(b => b.Id == _numbers[0]), [Book]),
        ["no table"] = (c => c.Books.Where(b => false).Select(b => 1), [Book]),
        ["join"] = (c => c.Books.Join(c.Authors, b => b.AuthorId, a => a.Id, (b, a) => new { b.Title, a.Name }), [Author, Book]),
        ["left join"] = (c => c.Books.LeftJoin(c.Authors, b => b.AuthorId, a => a.Id, (b, a) => new { b.Title, a!.Name }), [Author, Book]),
        ["right join"] = (c => c.Books.RightJoin(c.Authors, b => b.AuthorId, a => a.Id, (b, a) => new { b!.Title, a.Name }), [Author, Book]),
        ["cross join"] = (c => from b in c.Books from t in c.Set<Tag>() select new { b.Id, Tag = t.Id }, ["shop.Tag", Book]),
        ["self join"] = (c => c.Books.Join(c.Books, b => b.Id, x => x.AuthorId, (b, x) => x.Id), [Book]),
        ["navigation"] = (c => c.Books.Where(b => b.Author!.Name == "x").Select(b => b.Title), [Author, Book]),
        ["include"] = (c => c.Books.Include(b => b.Author), [Author, Book, "tools.pens"]),
        ["include collection"] = (c => c.Set<Tag>().Include(t => t.Books), ["shop.BookTag", "shop.Tag", Book]),
        ["many to many"] = (c => c.Books.Where(b => b.Tags.Any(t => t.Id == 3)).Select(b => b.Id), ["shop.BookTag", "shop.Tag", Book]),
        ["many to many counted"] = (c => c.Books.Select(b => b.Tags.Count), ["shop.BookTag", "shop.Tag", Book]),
        ["owned"] = (c => c.Authors.Where(a => a.Home!.City == "Rome").Select(a => a.Id), [Author]),
        ["owned in a table of its own"] = (c => c.Authors.Where(a => a.Pens.Any(p => p.Ink == "red")).Select(a => a.Id), [Author, "tools.pens"]),
        ["complex"] = (c => c.Authors.Where(a => a.Birth.Year > 1900).Select(a => a.Birth.Year), [Author]),
        ["JSON"] = (c => c.Authors.Where(a => a.Style.Genre == "x").Select(a => a.Style.Genre), [Author]),
        ["JSON collection"] = (c => c.Authors.Where(a => a.Prizes.Any(p => p.Year > 2000)).Select(a => a.Id), [Author]),
        ["JSON element"] = (c => c.Authors.Select(a => a.Prizes[a.Id].Name), [Author]),
        ["TPH"] = (c => c.Set<Plant>(), ["shop.plants"]),
        ["TPH by type"] = (c => c.Set<Tree>().Where(t => t.Height > 2), ["shop.plants"]),
        ["TPT"] = (c => c.Set<Payment>(), ["shop.Card", "shop.Payment"]),
        ["TPT by type"] = (c => c.Set<Card>(), ["shop.Card", "shop.Payment"]),
        ["TPC"] = (c => c.Set<Shape>(), ["shop.Circle", "shop.Square"]),
        ["TPC by type"] = (c => c.Set<Circle>(), ["shop.Circle"]),
        ["entity in two tables"] = (c => c.Set<Main>(), ["shop.split", "shop.split_rest"]),
        ["view"] = (c => c.Set<Total>(), ["reports.totals"]),
        ["group"] = (c => c.Books.GroupBy(b => b.AuthorId).Where(g => g.Count() > 1).Select(g => new { g.Key, Sum = g.Sum(b => b.Price), Most = g.Max(b => b.Price), Mean = g.Average(b => b.Price) }), [Book]),
        ["text aggregate"] = (c => c.Books.GroupBy(b => b.AuthorId).Select(g => string.Join(", ", g.Where(b => b.Price > 1).Select(b => b.Title))), [Book]),
        ["distinct"] = (c => c.Books.Select(b => b.Title).Distinct().OrderBy(t => t).Skip(1).Take(2), [Book]),
        ["union"] = (c => c.Books.Select(b => b.Id).Union(c.Authors.Select(a => a.Id)), [Author, Book]),
        ["concat"] = (c => c.Books.Select(b => b.Id).Concat(c.Set<Plant>().Select(p => p.Id)), ["shop.plants", Book]),
        ["intersect"] = (c => c.Books.Select(b => b.Id).Intersect(c.Set<Tag>().Select(t => t.Id)), ["shop.Tag", Book]),
        ["except"] = (c => c.Books.Select(b => b.Id).Except(c.Set<Tag>().Select(t => t.Id)), ["shop.Tag", Book]),
        ["exists"] = (c => c.Authors.Where(a => c.Books.Any(b => b.AuthorId == a.Id)).Select(a => a.Id), [Author, Book]),
        ["all"] = (c => c.Authors.Where(a => a.Books.All(b => b.Price > 1)).Select(a => a.Id), [Author, Book]),
        ["scalar subquery"] = (c => c.Authors.Select(a => c.Books.Where(b => b.AuthorId == a.Id).Max(b => (decimal?)b.Price)), [Author, Book]),
        ["lateral"] = (c => c.Authors.Select(a => a.Books.OrderBy(b => b.Price).Take(2).Select(b => b.Title).ToList()), [Author, Book]),
        ["lateral first"] = (c => c.Authors.Select(a => a.Books.OrderBy(b => b.Price).Select(b => new { b.Id, b.Title }).FirstOrDefault()), [Author, Book]),
        ["subquery in an order"] = (c => c.Set<Plant>().OrderBy(p => c.Set<Tag>().Count(t => t.Id == p.Id)), ["shop.Tag", "shop.plants"]),
        ["subquery in a list"] = (c => c.Books.Where(b => c.Set<Tag>().Select(t => t.Id).Contains(b.Id)).Select(b => b.Id), ["shop.Tag", Book]),
        ["contains a list"] = (c => c.Books.Where(b => _numbers.Contains(b.Id)), [Book]),
        ["contains constants"] = (c => c.Books.Where(b => new[] { 1, 2 }.Contains(b.Id)), [Book]),
        ["list joined"] = (c => c.Books.Where(b => _numbers.Any(n => n > b.Id)), [Book]),
        ["values"] = (c => c.Books.Where(b => new[] { b.Id, 3, 5 }.Max() > 4), [Book]),
        ["array column"] = (c => c.Books.Where(b => b.Words.Contains("x") && b.Words.Count > 1 && b.Words[0] == "y" && b.Words.Any(w => w.Length > 2)), [Book]),
        ["array made"] = (c => c.Books.Select(b => new[] { b.Id, b.Id + 1 }), [Book]),
        ["ILIKE"] = (c => c.Books.Where(b => EF.Functions.ILike(b.Title, "%x%") && EF.Functions.Like(b.Title, "y%")), [Book]),
        ["text"] = (c => c.Books.Where(b => b.Title.Replace("a", "b").StartsWith("ab") && b.Title.Trim().Length > 2 && b.Title.Substring(1).Contains("bc")), [Book]),
        ["regular expression"] = (c => c.Books.Where(b => System.Text.RegularExpressions.Regex.IsMatch(b.Title, "^x")), [Book]),
        ["mathematics"] = (c => c.Books.Select(b => Math.Abs(Math.Round(b.Price)) + Math.Max(b.Id, 3)), [Book]),
        ["conditional"] = (c => c.Books.Select(b => b.Price > 1 ? b.Title : b.Title + "!"), [Book]),
        ["dates"] = (c => c.Authors.Where(a => a.JoinedAt.Date == a.JoinedAt && a.JoinedAt.Year > 2000 && a.JoinedAt.AddDays(1) > a.JoinedAt && a.DiedOn!.Value.DayNumber > 3).Select(a => a.Id), [Author]),
        ["zone"] = (c => c.Authors.Select(a => TimeZoneInfo.ConvertTimeBySystemTimeZoneId(a.JoinedAt, "Europe/Berlin")), [Author]),
        ["collation"] = (c => c.Books.OrderBy(b => EF.Functions.Collate(b.Title, "C")), [Book]),
        ["text search"] = (c => c.Books.Where(b => b.Index!.Matches(EF.Functions.ToTsQuery("english", "x"))).Select(b => b.Id), [Book]),
        ["built-in function"] = (c => c.Books.Select(b => FactsContext.Upper(b.Title)), [Book]),
        ["enum"] = (c => c.Authors.Where(a => a.Rank == Rank.Master).Select(a => a.Rank), [Author]),
        ["row value"] = (c => c.Books.Where(b => EF.Functions.LessThan(ValueTuple.Create(b.Id, b.Title), ValueTuple.Create(3, "x"))), [Book]),
        ["row number"] = (c => c.Books.GroupBy(b => b.AuthorId).Select(g => g.OrderBy(b => b.Price).First()), [Book]),
        ["tag"] = (c => c.Books.TagWith("comment"), [Book]),
    };

    private static readonly Dictionary<string, (Func<FactsContext, IQueryable> Query, string[] Tables, string Obstacle)> _refused = new()
    {
        ["present time"] = (c => c.Authors.Where(a => a.JoinedAt < DateTime.UtcNow).Select(a => a.Id), [Author], nameof(CacheObstacle.VolatileFunction)),
        ["local time"] = (c => c.Books.Select(b => DateTime.Now), [Book], nameof(CacheObstacle.VolatileFunction)),
        ["present time with zone"] = (c => c.Books.Select(b => DateTimeOffset.UtcNow), [Book], nameof(CacheObstacle.VolatileFunction)),
        ["today"] = (c => c.Books.OrderBy(b => DateTime.Today), [Book], nameof(CacheObstacle.VolatileFunction)),
        ["new guid"] = (c => c.Books.Select(b => Guid.NewGuid()), [Book], nameof(CacheObstacle.VolatileFunction)),
        ["random"] = (c => c.Books.OrderBy(b => EF.Functions.Random()), [Book], nameof(CacheObstacle.VolatileFunction)),
        ["random in a subquery"] = (c => c.Authors.Where(a => c.Books.Any(b => b.AuthorId == a.Id && EF.Functions.Random() > 1)).Select(a => a.Id), [Author, Book], nameof(CacheObstacle.VolatileFunction)),
        ["random in an aggregate"] = (c => c.Books.GroupBy(b => b.AuthorId).Select(g => g.Sum(b => b.Id * EF.Functions.Random())), [Book], nameof(CacheObstacle.VolatileFunction)),
        ["random in a filter of an aggregate"] = (c => c.Books.GroupBy(b => b.AuthorId).Select(g => string.Join(",", g.Where(b => EF.Functions.Random() > 0.5).Select(b => b.Title))), [Book], nameof(CacheObstacle.VolatileFunction)),
        ["random in a list"] = (c => c.Books.Where(b => new[] { 1, EF.Functions.Random() }.Contains(b.Id)), [Book], nameof(CacheObstacle.VolatileFunction)),
        ["random in a JSON path"] = (c => c.Authors.Select(a => a.Prizes[(int)EF.Functions.Random()].Name), [Author], nameof(CacheObstacle.VolatileFunction)),
        ["sequence"] = (c => c.Books.Select(b => FactsContext.NextValue("s")), [Book], nameof(CacheObstacle.VolatileFunction)),
        ["text as time"] = (c => c.Books.Select(b => (DateTime)(object)b.Title), [Book], nameof(CacheObstacle.VolatileFunction)),
        ["setting"] = (c => c.Books.Where(b => b.Title == FactsContext.Setting("app.tenant")), [Book], nameof(CacheObstacle.SessionState)),
        ["default text search"] = (c => c.Books.Where(b => b.Index!.Matches("x")).Select(b => b.Id), [Book], nameof(CacheObstacle.SessionState)),
        ["similarity threshold"] = (c => c.Books.Where(b => EF.Functions.TrigramsAreSimilar(b.Title, "x")), [Book], nameof(CacheObstacle.SessionState)),
        ["unknown built-in function"] = (c => c.Books.Select(b => FactsContext.Sleep(1)), [Book], nameof(CacheObstacle.UnknownFunction)),
        ["function of the application"] = (c => c.Books.Where(b => FactsContext.Score(b.Id) > 1), [Book], nameof(CacheObstacle.ApplicationFunction)),
        ["own function with a built-in name"] = (c => c.Books.Select(b => FactsContext.Lower(b.Title)), [Book], nameof(CacheObstacle.ApplicationFunction)),
        ["function of rows"] = (c => c.BooksOf(3), [], nameof(CacheObstacle.ApplicationFunction)),
        ["function of rows applied"] = (c => c.Authors.SelectMany(a => c.BooksOf(a.Id)).Select(b => b.Id), [Author], nameof(CacheObstacle.ApplicationFunction)),
        ["function of the application and present time"] = (c => c.Authors.Where(a => FactsContext.Score(a.Id) > 1 && a.JoinedAt < DateTime.UtcNow).Select(a => a.Id), [Author], nameof(CacheObstacle.VolatileFunction)),
        ["raw SQL"] = (c => c.Books.FromSql($"SELECT * FROM store.books").IgnoreQueryFilters(), [], nameof(CacheObstacle.RawSql)),
        ["raw SQL that calls"] = (c => c.Books.FromSql($"SELECT * FROM books_of (1)").IgnoreQueryFilters(), [], nameof(CacheObstacle.RawSql)),
        ["raw SQL composed"] = (c => c.Books.FromSql($"SELECT * FROM store.books").Where(b => b.Author!.Name == "x"), [Author], nameof(CacheObstacle.RawSql)),
        ["raw SQL in a subquery"] = (c => c.Authors.Where(a => c.Books.FromSql($"SELECT * FROM store.books").Any(b => b.AuthorId == a.Id)).Select(a => a.Id), [Author], nameof(CacheObstacle.RawSql)),
        ["raw scalars"] = (c => c.Database.SqlQuery<int>($"SELECT 1 AS \"Value\""), [], nameof(CacheObstacle.RawSql)),
        ["raw scalars composed"] = (c => c.Database.SqlQuery<int>($"SELECT 1 AS \"Value\"").Where(v => v > 0), [], nameof(CacheObstacle.RawSql)),
        ["raw SQL of the model"] = (c => c.Set<Recent>(), [], nameof(CacheObstacle.RawSql)),
        ["raw SQL and random"] = (c => c.Books.FromSql($"SELECT * FROM store.books").OrderBy(b => EF.Functions.Random()), [], nameof(CacheObstacle.VolatileFunction)),
        ["raw SQL with the present time"] = (c => c.Books.FromSql($"SELECT * FROM store.books WHERE t < now ()"), [], nameof(CacheObstacle.VolatileFunction)),
        ["raw SQL with today"] = (c => c.Books.FromSql($"SELECT * FROM store.books WHERE t < Current_Date"), [], nameof(CacheObstacle.VolatileFunction)),
        ["raw SQL with a column named as a function"] = (c => c.Books.FromSql($"SELECT random FROM store.books"), [], nameof(CacheObstacle.RawSql)),
        ["raw SQL that locks"] = (c => c.Books.FromSql($"SELECT * FROM store.books FOR UPDATE"), [], nameof(CacheObstacle.WritingSql)),
        ["raw SQL that locks for a key"] = (c => c.Books.FromSql($"SELECT * FROM store.books FOR  KEY SHARE"), [], nameof(CacheObstacle.WritingSql)),
        ["raw SQL that writes"] = (c => c.Books.FromSql($"UPDATE store.books SET price = 1 RETURNING *").IgnoreQueryFilters(), [], nameof(CacheObstacle.WritingSql)),
        ["raw SQL that writes in a part"] = (c => c.Books.FromSql($"WITH x AS (DELETE FROM store.books RETURNING *) SELECT * FROM x"), [], nameof(CacheObstacle.WritingSql)),
        ["system catalog"] = (c => c.Set<SystemTable>(), ["pg_catalog.pg_class"], nameof(CacheObstacle.SystemCatalog)),
        ["system column that moves"] = (c => c.Books.Select(b => b.Id).Where(i => c.Set<Moving>().Any(m => m.Place == i)), [Book, "shop.moving"], nameof(CacheObstacle.SystemColumn)),
    };
#pragma warning restore RS0030

    public static TheoryData<string> Queries => [.. _queries.Keys];

    public static TheoryData<string> Refused => [.. _refused.Keys];

    [Theory]
    [MemberData(nameof(Queries))]
    public void Names_the_tables_of_a_query_that_may_be_cached(string query)
    {
        var facts = Assert.Single(Read(_queries[query].Query));

        Assert.Null(facts.Obstacle);
        Assert.Equal(Sorted(_queries[query].Tables), facts.Tables.Select(t => t.Key));
        Assert.Null(facts.Write);
        Assert.False(facts.MayWriteUnseen);
        Assert.NotEmpty(facts.Columns);
        Assert.All(facts.Columns, c => Assert.NotEmpty(c.StoreType));
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void Finds_what_keeps_a_query_out_of_the_cache(string query)
    {
        var facts = Assert.Single(Read(_refused[query].Query));

        Assert.Equal(_refused[query].Obstacle, facts.Obstacle?.Obstacle.ToString());
        Assert.Equal(Sorted(_refused[query].Tables), facts.Tables.Select(t => t.Key));
    }

    [Fact]
    public void Only_raw_SQL_and_functions_of_the_application_are_lifted_by_declared_dependencies() =>
        Assert.Equal(
            [CacheObstacle.RawSql, CacheObstacle.ApplicationFunction],
            Enum.GetValues<CacheObstacle>().Where(o => new CacheRefusal(o, string.Empty).IsLiftedByDeclaration));

    [Fact]
    public void Tells_what_EF_will_ask_the_reader_for()
    {
        var facts = Assert.Single(Read(c => c.Authors.Select(a => new { a.Id, a.Name, a.JoinedAt, a.DiedOn, a.Code, a.Rank, Count = a.Books.Count, Big = a.Books.Sum(b => b.Price), Any = a.Books.Any(), a.Home!.City })));

        Assert.Equal(
            [
                ("Id", typeof(int), "integer"),
                ("Name", typeof(string), "text"),
                ("JoinedAt", typeof(DateTime), "timestamp with time zone"),
                ("DiedOn", typeof(DateOnly), "date"),
                ("Code", typeof(Guid), "uuid"),
                ("Rank", typeof(int), "integer"),
                ("Count", typeof(int), "integer"),
                ("Big", typeof(decimal), "numeric"),
                ("Any", typeof(bool), "boolean"),
                ("City", typeof(string), "text"),
            ],
            facts.Columns.Select(c => (c.Name is "Home_City" ? "City" : c.Name, c.ClrType, c.StoreType)));
    }

    [Fact]
    public void Tells_the_types_of_JSON_and_array_columns()
    {
        var author = Assert.Single(Read(c => c.Authors.Select(a => a.Style).AsNoTracking()));
        var book = Assert.Single(Read(c => c.Books.Select(b => new { b.Words, b.Index })));

        Assert.Null(author.Obstacle);
        Assert.Contains(author.Columns, c => c.StoreType == "jsonb");
        Assert.Equal([(typeof(List<string>), "text[]"), (typeof(NpgsqlTypes.NpgsqlTsVector), "tsvector")], book.Columns.Select(c => (c.ClrType, c.StoreType)));
    }

    [Fact]
    public void Raw_SQL_that_stands_alone_has_its_columns_found_by_name()
    {
        Assert.True(Assert.Single(Read(_refused["raw SQL"].Query)).AreColumnsFoundByName);
        Assert.False(Assert.Single(Read(_refused["raw SQL composed"].Query)).AreColumnsFoundByName);
        Assert.False(Assert.Single(Read(_queries["filter"].Query)).AreColumnsFoundByName);
    }

    [Fact]
    public void Each_command_of_a_split_query_has_facts_of_its_own()
    {
        var facts = Read(c => c.Set<Tag>().Include(t => t.Books).AsSplitQuery().TagWith("split"));

        Assert.Equal(["shop.Tag", "shop.BookTag,shop.Tag,store.books"], facts.Select(f => string.Join(',', f.Tables)));
        Assert.All(facts, f => Assert.Null(f.Obstacle));
    }

    [Theory]
    [InlineData("unknown function", nameof(CacheObstacle.UnknownFunction))]
    [InlineData("raw SQL that calls", nameof(CacheObstacle.RawSql))]
    [InlineData("raw SQL that writes", nameof(CacheObstacle.WritingSql))]
    [InlineData("function of the application", nameof(CacheObstacle.ApplicationFunction))]
    public void Calls_that_nobody_knows_may_write(string query, string obstacle)
    {
        var facts = Assert.Single(Read(_refused[query == "unknown function" ? "unknown built-in function" : query].Query));

        Assert.Equal(obstacle, facts.Obstacle?.Obstacle.ToString());
        Assert.True(facts.MayWriteUnseen);
    }

    [Fact]
    public void An_update_names_the_table_that_it_writes()
    {
        AssertWrites(c => c.Books.Where(b => b.Price > 1).ExecuteUpdate(s => s.SetProperty(b => b.Price, 2)), Book, WriteKind.Update, [Book]);
        AssertWrites(c => c.Books.Join(c.Authors, b => b.AuthorId, a => a.Id, (b, a) => new { b, a }).ExecuteUpdate(s => s.SetProperty(x => x.b.Title, x => x.a.Name)), Book, WriteKind.Update, [Author, Book]);
        AssertWrites(c => c.Books.ExecuteUpdate(s => s.SetProperty(b => b.Price, b => c.Set<Tag>().Count(t => t.Id > b.Id))), Book, WriteKind.Update, ["shop.Tag", Book]);
        AssertWrites(c => c.Authors.ExecuteUpdate(s => s.SetProperty(a => a.JoinedAt, a => a.JoinedAt.AddDays(1))), Author, WriteKind.Update, [Author]);
        AssertWrites(c => c.Set<Tree>().ExecuteUpdate(s => s.SetProperty(t => t.Height, 1)), "shop.plants", WriteKind.Update, ["shop.plants"]);
    }

    [Fact]
    public void A_delete_names_the_table_that_it_writes()
    {
        AssertWrites(c => c.Books.Where(b => b.Price > 1).ExecuteDelete(), Book, WriteKind.Delete, [Book]);
        AssertWrites(c => c.Books.Where(b => b.Author!.Name == "x").ExecuteDelete(), Book, WriteKind.Delete, [Author, Book]);
        AssertWrites(c => c.Books.Where(b => c.Set<Tag>().Any(t => t.Id == b.Id)).ExecuteDelete(), Book, WriteKind.Delete, ["shop.Tag", Book]);
    }

    [Fact]
    public void A_delete_that_joins_names_the_tables_that_the_provider_does_not_visit()
    {
        var joined = 0;
        var facts = Assert.Single(CommandCapture.Of(
            c => c.Books.Join(c.Authors, b => b.AuthorId, a => a.Id, (b, a) => new { b, a }).Where(x => x.a.Name == "x").Select(x => x.b).ExecuteDelete(),
            tree =>
            {
                joined = ProviderNodes.FindDelete(tree)!.Value.FromItems.Count;
                return tree;
            }));

        Assert.Equal(1, joined);
        Assert.Equal([Author, Book], facts.Tables.Select(t => t.Key));
        Assert.Equal(new WriteFacts(new TableName("store", "books"), WriteKind.Delete), facts.Write);
    }

    [Theory]
    [InlineData("raw SQL")]
    [InlineData("raw SQL composed")]
    [InlineData("raw SQL with the present time")]
    [InlineData("raw scalars")]
    public void SQL_that_plainly_queries_writes_nothing(string query) => Assert.All(Read(_refused[query].Query), f => Assert.False(f.MayWriteUnseen));

    [Fact]
    public void A_write_that_calls_what_nobody_knows_may_have_written_anything()
    {
        var update = Assert.Single(CommandCapture.Of(c => c.Books.ExecuteUpdate(s => s.SetProperty(b => b.AuthorId, b => FactsContext.Score(b.Id)))));
        var delete = Assert.Single(CommandCapture.Of(c => c.Books.Where(b => c.Authors.FromSql($"SELECT * FROM touch(1)").Any(a => a.Id == b.Id)).ExecuteDelete()));

        Assert.Equal(WriteFacts.Unknown, update.Write);
        Assert.Equal(WriteFacts.Unknown, delete.Write);
    }

    [Fact]
    public void The_present_time_does_not_hide_what_a_write_changes()
    {
#pragma warning disable RS0030 // Translated to the server's now().
        var facts = Assert.Single(CommandCapture.Of(c => c.Authors.ExecuteUpdate(s => s.SetProperty(a => a.JoinedAt, a => DateTime.UtcNow))));
#pragma warning restore RS0030

        Assert.Equal(new WriteFacts(new TableName("shop", "Authors"), WriteKind.Update), facts.Write);
    }

    [Fact]
    public void A_node_of_unknown_kind_is_an_obstacle_wherever_it_stands()
    {
        var facts = Assert.Single(CommandCapture.Of(c => Run(c.Books.Where(b => b.Price > 10)), tree => new InOtherNodes().Visit(tree)));

        Assert.Equal(new CacheRefusal(CacheObstacle.UnknownExpression, nameof(OtherNode)), facts.Obstacle);
        Assert.True(facts.MayWriteUnseen);
    }

    [Fact]
    public void A_root_of_unknown_kind_writes_anything()
    {
        var facts = Assert.Single(CommandCapture.Of(c => Run(c.Books), _ => new OtherRoot()));

        Assert.Equal(WriteFacts.Unknown, facts.Write);
        Assert.Equal(CacheObstacle.UnknownExpression, facts.Obstacle?.Obstacle);
    }

    private static IEnumerable<string> Sorted(string[] tables) => tables.Order(StringComparer.Ordinal);

    private static IReadOnlyList<QueryFacts> Read(Func<FactsContext, IQueryable> query) => CommandCapture.Of(c => Run(query(c)));

    private static void Run(IEnumerable query)
    {
        foreach (var _ in query)
        {
        }
    }

    private static void AssertWrites(Action<FactsContext> write, string table, WriteKind kind, string[] tables)
    {
        var facts = Assert.Single(CommandCapture.Of(write));

        Assert.Equal(table, facts.Write?.Table?.Key);
        Assert.Equal(kind, facts.Write?.Kind);
        Assert.Equal(CacheObstacle.Write, facts.Obstacle?.Obstacle);
        Assert.Equal(Sorted(tables), facts.Tables.Select(t => t.Key));
    }

    private sealed class InOtherNodes : ExpressionVisitor
    {
        protected override Expression VisitExtension(Expression node) =>
            node is SqlBinaryExpression { OperatorType: ExpressionType.GreaterThan } binary
                ? new OtherNode(binary)
                : base.VisitExtension(node);
    }

    private sealed class OtherNode(SqlBinaryExpression binary)
        : SqlBinaryExpression(binary.OperatorType, binary.Left, binary.Right, binary.Type, binary.TypeMapping)
    {
        protected override Expression VisitChildren(ExpressionVisitor visitor) => this;
    }

    private sealed class OtherRoot : Expression
    {
        public override ExpressionType NodeType => ExpressionType.Extension;

        public override Type Type => typeof(object);

        protected override Expression VisitChildren(ExpressionVisitor visitor) => this;
    }
}
