using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing.Scatter;
using EfScaling.Routing.Shards;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Random queries over all shards give what one database with all rows gives, or a refusal, and then the fallback coordinator gives it.</summary>
/// <remarks>The seed is printed; <c>EFSCALING_SEED</c> repeats it. <c>EFSCALING_NIGHTLY</c> runs twenty times as many queries, <c>EFSCALING_QUERY</c> the one of that number alone.</remarks>
public sealed class ScatterDifferentialTests(ClusterFixture fixture)
{
    private const int Queries = 1_000;
    private const double MostRefusals = 0.1;
    private const int MostToShow = 20;
    private const string NotTranslated = "InvalidOperationException: The LINQ expression";
    private const string FailedOnServer = "PostgreSQL ";

    private static readonly JsonSerializerOptions _json = new()
    {
        ReferenceHandler = ReferenceHandler.IgnoreCycles,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        MaxDepth = 256,
        Converters = { new NearDouble() },
    };

    [Fact]
    public Task Random_queries_give_what_one_database_gives() => CompareAsync(new VarietyDatabases(fixture.Cluster), Queries);

    [Fact]
    public Task So_they_do_when_texts_are_ordered_by_a_language() =>
        CompareAsync(new VarietyDatabases(fixture.Cluster, "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"), Queries / 5);

    [Fact]
    public Task So_they_do_on_replicas() => CompareAsync(new VarietyDatabases(fixture.Cluster, contract: ReadContract.Session), Queries / 10);

    private static async Task CompareAsync(VarietyDatabases databases, int count)
    {
        await using var _ = databases;
        var seed = int.TryParse(Environment.GetEnvironmentVariable("EFSCALING_SEED"), out var given) ? given : Random.Shared.Next();
        var only = int.TryParse(Environment.GetEnvironmentVariable("EFSCALING_QUERY"), out var number) ? number : (int?)null;
        TestContext.Current.TestOutputHelper?.WriteLine($"EFSCALING_SEED={seed}");
        await databases.CreateAsync(seed);
        count *= string.IsNullOrEmpty(Environment.GetEnvironmentVariable("EFSCALING_NIGHTLY")) ? 1 : 20;
        var (shapes, refusals, refused, differences) = (new HashSet<string>(), new SortedDictionary<ScatterRule, int>(), new List<string>(), new List<string>());
        var (untranslated, failed) = (0, 0);
        for (var i = 0; i < count; i++)
        {
            // Each from a seed of its own, so that one can be repeated alone.
            var random = new Random(unchecked((seed * 1_000_003) + i));
            if (only is { } wanted && wanted != i)
            {
                continue;
            }

            var query = random.Next(4) == 0 ? new EntityQueries(random).Next() : new FlowEnds(random).End(new FlowOperators(random).Next());
            shapes.Add(query.Shape);
            await using var spanning = databases.Sharded.CreateDbContext();
            var actual = await RunAsync(query, spanning);
            var isRefused = actual.Rule is not null;
            if (actual.Rule is { } rule)
            {
                refusals[rule] = refusals.GetValueOrDefault(rule) + 1;
                refused.Add($"{rule}: {query.Shape}");
                await using var withFallback = databases.WithFallback.CreateDbContext();
                actual = await RunAsync(query, withFallback);
            }

            await using var whole = databases.Whole();
            var expected = await RunAsync(query, whole);
            untranslated += expected.Text.StartsWith(NotTranslated, StringComparison.Ordinal) ? 1 : 0;
            failed += expected.Text.StartsWith(FailedOnServer, StringComparison.Ordinal) ? 1 : 0;
            if (expected.Text != actual.Text)
            {
                differences.Add($"query {i}: {query.Shape}{(isRefused ? " (on the fallback coordinator)" : string.Empty)}\none database: {expected.Text}\nshards: {actual.Text}");
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{count} queries of {shapes.Count} shapes, {untranslated} not translated, {failed} failed alike, {refused.Count} refused ({100.0 * refused.Count / count:0.0} %): {string.Join(", ", refusals.Select(r => $"{r.Key} {r.Value}"))}\n{string.Join('\n', refused.Take(MostToShow))}"));
        Assert.True(differences.Count == 0, $"{differences.Count} queries differ (seed {seed}).\n{string.Join("\n\n", differences.Take(MostToShow))}");
        Assert.True(
            only is not null || (shapes.Count >= count * 0.8 && shapes.Count > 90 && refused.Count > 0 && refused.Count < count * MostRefusals && untranslated < count * MostRefusals),
            $"{shapes.Count} shapes, {refused.Count} of {count} refused, {untranslated} not translated (seed {seed})");
    }

    private static async Task<(ScatterRule? Rule, string Text)> RunAsync(ScatterQuery query, VarietyContext context)
    {
        try
        {
            return (null, Text(await query.RunAsync(context), query.IsOrdered));
        }
        catch (CrossShardQueryNotSupportedException refusal)
        {
            return (refusal.Rule, refusal.Message);
        }
        catch (PostgresException failure)
        {
            return (null, $"{FailedOnServer}{failure.SqlState}");
        }
#pragma warning disable CA1031 // Whatever one database refuses must fail in the same way on shards: not translated, no rows, more than one, or faults of EF.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            return (null, $"{failure.GetType().Name}: {failure.Message}");
        }
    }

    private static string Text(object? result, bool isOrdered) => Sorted(JsonSerializer.SerializeToNode(result, _json), isOrdered)?.ToJsonString() ?? "null";

    // Without an order, rows and the children among them come as they come.
    private static JsonNode? Sorted(JsonNode? node, bool isOrdered) => node switch
    {
        JsonArray array when isOrdered => new JsonArray([.. array.Select(n => Sorted(n, isOrdered: false))]),
        JsonArray array => new JsonArray([.. array.Select(n => Sorted(n, isOrdered: false)).OrderBy(n => n?.ToJsonString(), StringComparer.Ordinal)]),
        JsonObject members => new JsonObject(members.Select(m => KeyValuePair.Create(m.Key, Sorted(m.Value, isOrdered && m.Value is JsonArray)))),
        _ => node?.DeepClone(),
    };

    // Sums of floating-point numbers depend on the order of their terms, which no database promises.
    private sealed class NearDouble : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString("G12", CultureInfo.InvariantCulture));
    }
}
