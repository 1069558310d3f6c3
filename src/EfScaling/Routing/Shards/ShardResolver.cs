using System.Collections.Frozen;
using System.Collections.Immutable;
using EfScaling.Sharding;

namespace EfScaling.Routing.Shards;

/// <summary>Finds the shards that a command concerns, from its plan and the values of its parameters.</summary>
/// <remarks>Immutable and thread-safe.</remarks>
internal sealed class ShardResolver(FrozenDictionary<string, ShardMap> maps, string defaultShard)
{
    // More values than this are worth no looking up: they are on all shards.
    private const int MostKeys = 10_000;

    /// <summary>Finds the shards.</summary>
    /// <param name="plan">What the SQL says.</param>
    /// <param name="parameters">The values of the parameters as EF keeps them.</param>
    public ShardChoice Resolve(ShardPlan plan, IReadOnlyDictionary<string, object?> parameters)
    {
        var unknown = plan.Opaque;
        var found = default(Found);
        foreach (var table in plan.Tables)
        {
            if (!table.IsKnown)
            {
                unknown ??= $"nothing says which {string.Join(", ", table.Table.Key.Select(c => c.Property.Name))} the rows of '{table.Name}' have";
            }
            else if (table.Table.Placement == TablePlacement.DefaultShard)
            {
                found.Add(defaultShard);
            }
            else
            {
                AddShardsOf(table, parameters, ref found);
            }
        }

        return new ShardChoice(found.Several is null ? found.Single : null, found.Several, unknown);
    }

    private void AddShardsOf(PlacedTable table, IReadOnlyDictionary<string, object?> parameters, ref Found found)
    {
        var map = maps[table.Table.Map];
        var columns = table.Key;
        if (columns is [[{ IsMany: false } only]])
        {
            if (TryMakeKey(table.Table.Key[0].Type, only.ValueIn(parameters), out var key))
            {
                found.Add(map.ShardOf(key));
            }

            return;
        }

        var values = columns.Select(terms => ValuesOf(terms, parameters)).ToList();
        if (values.Aggregate(1L, (product, v) => product * v.Count) > MostKeys)
        {
            foreach (var shard in map.Shards)
            {
                found.Add(shard);
            }

            return;
        }

        AddCombinations(map, table.Table.Key, values, [], ref found);
    }

    private static void AddCombinations(ShardMap map, ImmutableArray<ShardKeyColumn> columns, List<List<object>> values, ImmutableArray<ShardKey> chosen, ref Found found)
    {
        if (chosen.Length == columns.Length)
        {
            found.Add(map.ShardOf(ShardKey.Composite(chosen.AsSpan())));
            return;
        }

        foreach (var value in values[chosen.Length])
        {
            if (TryMakeKey(columns[chosen.Length].Type, value, out var key))
            {
                AddCombinations(map, columns, values, chosen.Add(key), ref found);
            }
        }
    }

    // A value that the column cannot hold is in no row.
    private static bool TryMakeKey(ShardKeyType type, object? value, out ShardKey key)
    {
        key = default;
        if (value is null)
        {
            return false;
        }

        try
        {
            key = ShardKey.FromValue(value, type);
            return true;
        }
        catch (ShardKeyException refused) when (refused.Reason == ShardKeyRefusal.OutOfRange)
        {
            return false;
        }
    }

    private static List<object> ValuesOf(ImmutableArray<KeyTerm> terms, IReadOnlyDictionary<string, object?> parameters)
    {
        var values = new List<object>();
        foreach (var term in terms)
        {
            term.AddTo(values, parameters);
        }

        return values;
    }

    private struct Found
    {
        public string? Single { get; private set; }

        public List<string>? Several { get; private set; }

        public void Add(string shard)
        {
            if (Single is null)
            {
                Single = shard;
            }
            else if (Several is null ? Single != shard : !Several.Contains(shard))
            {
                (Several ??= [Single]).Add(shard);
            }
        }
    }
}
