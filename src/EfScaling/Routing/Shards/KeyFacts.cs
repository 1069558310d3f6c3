using System.Collections.Immutable;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Shards;

/// <summary>What is certain about the rows of a select that count: which columns hold the same value, and which hold one of certain values.</summary>
/// <remarks>Columns are told apart by the alias of their table, which EF uses once in a query. Not thread-safe.</remarks>
internal sealed class KeyFacts
{
    private readonly Dictionary<(string Table, string Column), Class> _classes = [];
    private readonly Dictionary<string, ShardedTable> _tables = [];
    private readonly bool _comparesTexts;

    /// <param name="comparesTexts">Whether texts of columns are compared by the columns' own collations.</param>
    public KeyFacts(bool comparesTexts) => _comparesTexts = comparesTexts;

    /// <summary>Returns a copy, to which more can be added.</summary>
    public KeyFacts Copy()
    {
        var copy = new KeyFacts(_comparesTexts);
        var copies = new Dictionary<Class, Class>();
        foreach (var (column, known) in _classes)
        {
            if (!copies.TryGetValue(known, out var other))
            {
                copies[known] = other = new Class { Columns = [.. known.Columns], Terms = known.Terms, Bucket = known.Bucket };
            }

            copy._classes[column] = other;
        }

        foreach (var (alias, table) in _tables)
        {
            copy._tables[alias] = table;
        }

        return copy;
    }

    /// <summary>Notes that two columns hold the same value.</summary>
    public void Equate((string Table, string Column) one, (string Table, string Column) other)
    {
        var (kept, merged) = (ClassOf(one), ClassOf(other));
        if (ReferenceEquals(kept, merged))
        {
            return;
        }

        kept.Columns.AddRange(merged.Columns);
        kept.Terms = Tighter(kept.Terms, merged.Terms);
        kept.Bucket ??= merged.Bucket;
        foreach (var column in merged.Columns)
        {
            _classes[column] = kept;
        }
    }

    /// <summary>Returns whether two columns certainly hold the same value.</summary>
    public bool AreEqual((string Table, string Column) one, (string Table, string Column) other) =>
        one == other || (_classes.TryGetValue(one, out var known) && known.Columns.Contains(other));

    /// <summary>Returns the columns that certainly hold the same value as one.</summary>
    public IReadOnlyList<(string Table, string Column)> ColumnsLike((string Table, string Column) column) => _classes.TryGetValue(column, out var known) ? known.Columns : [];

    /// <summary>Notes that a column holds the value of one of some terms.</summary>
    public void Constrain((string Table, string Column) column, ImmutableArray<KeyTerm> terms)
    {
        var known = ClassOf(column);
        known.Terms = Tighter(known.Terms, terms);
    }

    /// <summary>Returns the terms one of whose values a column holds; default if nothing is certain.</summary>
    public ImmutableArray<KeyTerm> TermsOf((string Table, string Column) column) => _classes.TryGetValue(column, out var known) ? known.Terms : default;

    /// <summary>Notes that rows of a table count, whose ids may tell the buckets of others.</summary>
    public void Note(string alias, ShardedTable table) => _tables[alias] = table;

    /// <summary>Notes what tells the bucket that the values of a column carry.</summary>
    public void Note((string Table, string Column) column, BucketTerms bucket) => ClassOf(column).Bucket = bucket;

    /// <summary>Returns for each column of a table's shard key the terms one of whose values it holds; empty if that of one is not certain.</summary>
    public ImmutableArray<ImmutableArray<KeyTerm>> KeyOf(string alias, ShardedTable table)
    {
        var key = table.Key.Select(c => TermsOf((alias, c.Name))).ToImmutableArray();
        return key.Any(t => t.IsDefault) ? [] : key;
    }

    /// <summary>Returns what tells the bucket of a table's rows; <see langword="null"/> if nothing does.</summary>
    public BucketTerms? BucketOf(string alias, ShardedTable table) => BucketOf(alias, table, []);

    /// <summary>Returns what tells the bucket that the values of a column carry; <see langword="null"/> if nothing does, or they carry none.</summary>
    public BucketTerms? BucketIn((string Table, string Column) column) =>
        _tables.TryGetValue(column.Table, out var table) && table.Ids.Any(i => i.Name == column.Column) ? BucketOf(column.Table, table, []) : BucketIn(column, []);

    /// <summary>Gets the columns of which something is certain.</summary>
    public IEnumerable<(string Table, string Column)> Columns => _classes.Keys;

    /// <summary>Adds what follows from a condition that holds.</summary>
    public void Add(SqlExpression? condition)
    {
        switch (condition)
        {
            case SqlBinaryExpression { OperatorType: System.Linq.Expressions.ExpressionType.AndAlso } both:
                Add(both.Left);
                Add(both.Right);
                break;

            case SqlBinaryExpression { OperatorType: System.Linq.Expressions.ExpressionType.OrElse } either:
                AddEither(either);
                break;

            case SqlBinaryExpression { OperatorType: System.Linq.Expressions.ExpressionType.Equal } equality:
                AddEquality(equality.Left, equality.Right);
                break;

            case InExpression { Values: { } values, Item: var item } when ColumnOf(item) is { } column:
                if (values.All(v => KeyTerm.Of(v) is not null && AreAlike(item, v)))
                {
                    Constrain(column, [.. values.Select(v => KeyTerm.Of(v)!)]);
                }

                break;

            case InExpression { ValuesParameter: { } many, Item: var item } when ColumnOf(item) is { } column && AreAlike(item, many.TypeMapping?.ElementTypeMapping):
                Constrain(column, [KeyTerm.Of(many, isMany: true)!]);
                break;

            case not null when ProviderComparisons.FindAny(condition) is var (item, array)
                && ColumnOf(item) is { } column
                && AreAlike(item, array.TypeMapping?.ElementTypeMapping)
                && KeyTerm.Of(array, isMany: true) is { } any:
                Constrain(column, [any]);
                break;
        }
    }

    /// <summary>Returns the column that an expression reads; <see langword="null"/> if it computes something of it.</summary>
    public static (string Table, string Column)? ColumnOf(SqlExpression expression) => expression switch
    {
        ColumnExpression column => (column.TableAlias, column.Name),

        // A wider integer of the same value, for the comparison with one.
        SqlUnaryExpression { OperatorType: System.Linq.Expressions.ExpressionType.Convert, Operand: ColumnExpression column, TypeMapping.StoreType: "integer" or "bigint" }
            when column.TypeMapping?.StoreType is "smallint" or "integer" => (column.TableAlias, column.Name),
        _ => null,
    };

    /// <summary>Adds what follows from two expressions being equal.</summary>
    public void AddEquality(SqlExpression left, SqlExpression right)
    {
        if (!AreAlike(left, right))
        {
            return;
        }

        var (one, other) = (ColumnOf(left), ColumnOf(right));
        if (one is not null && other is not null)
        {
            Equate(one.Value, other.Value);
        }
        else if ((one ?? other) is { } column && KeyTerm.Of(one is null ? left : right) is { } term)
        {
            Constrain(column, [term]);
        }
    }

    private BucketTerms? BucketOf(string alias, ShardedTable table, HashSet<string> seen)
    {
        if (KeyOf(alias, table) is { IsEmpty: false } key)
        {
            return new BucketTerms(table, key, default);
        }

        seen.Add(alias);
        foreach (var id in table.Ids)
        {
            if (TermsOf((alias, id.Name)) is { IsDefault: false } ids)
            {
                return new BucketTerms(table, [], ids);
            }
        }

        return table.Ids.Select(id => BucketIn((alias, id.Name), seen)).FirstOrDefault(b => b is not null && b.Table.Map == table.Map);
    }

    private BucketTerms? BucketIn((string Table, string Column) column, HashSet<string> seen)
    {
        if (!_classes.TryGetValue(column, out var known))
        {
            return null;
        }

        if (known.Bucket is { } bucket)
        {
            return bucket;
        }

        // A row with an equal id is in the same bucket.
        foreach (var (alias, name) in known.Columns)
        {
            if (!seen.Contains(alias)
                && _tables.TryGetValue(alias, out var table)
                && table.Ids.Any(i => i.Name == name)
                && BucketOf(alias, table, seen) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    // Of other types, values are equal that are not stored alike: citext to text in any case, and times of different zones. So are texts by some collations.
    private bool AreAlike(SqlExpression one, SqlExpression other) => AreAlike(one, other.TypeMapping) && IsExact(other);

    private bool AreAlike(SqlExpression one, CoreTypeMapping? other) => KindOf(one.TypeMapping) is { } kind && kind == KindOf(other) && IsExact(one);

    private bool IsExact(SqlExpression expression) =>
        expression is not ColumnExpression column
        || KindOf(column.TypeMapping) != ShardKeyType.Text
        || (_comparesTexts && column.Column is { } known && known.PropertyMappings.All(m => m.Property[Collations.LooseAnnotation] is null));

    private static ShardKeyType? KindOf(CoreTypeMapping? mapping) =>
        (mapping is RelationalTypeMapping { StoreType: var storeType } ? ShardKeyColumn.TypeOf(storeType) : null) switch
        {
            ShardKeyType.Int2 or ShardKeyType.Int4 => ShardKeyType.Int8,
            var type => type,
        };

    // Each arm must say something about a column; then the column holds what one of them says.
    private void AddEither(SqlBinaryExpression either)
    {
        var (left, right) = (new KeyFacts(_comparesTexts), new KeyFacts(_comparesTexts));
        left.Add(either.Left);
        right.Add(either.Right);
        foreach (var column in left.Columns)
        {
            if (left.TermsOf(column) is { IsDefault: false } these && right.TermsOf(column) is { IsDefault: false } those)
            {
                Constrain(column, these.AddRange(those));
            }
        }
    }

    // Both hold. One is as true as the other; the fewer values the better.
    private static ImmutableArray<KeyTerm> Tighter(ImmutableArray<KeyTerm> one, ImmutableArray<KeyTerm> other) =>
        one.IsDefault ? other
        : other.IsDefault ? one
        : one is [{ IsMany: false }] ? one
        : other is [{ IsMany: false }] || other.Length < one.Length ? other
        : one;

    private Class ClassOf((string Table, string Column) column)
    {
        if (!_classes.TryGetValue(column, out var known))
        {
            _classes[column] = known = new Class { Columns = [column] };
        }

        return known;
    }

    private sealed class Class
    {
        public required List<(string Table, string Column)> Columns { get; init; }

        public ImmutableArray<KeyTerm> Terms { get; set; }

        public BucketTerms? Bucket { get; set; }
    }
}
