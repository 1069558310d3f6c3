using System.Text.Json;
using EfScaling.Routing.Scatter;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Texts of special types and collations keep them over several shards.</summary>
public sealed class ScatterTextTests(WordsDatabases databases) : IClassFixture<WordsDatabases>
{
    private static readonly Dictionary<string, Func<WordsContext, Task<object?>>> _queries = new()
    {
        ["different padded ones"] = async c => (await c.Words.Select(w => w.Padded).Distinct().ToListAsync()).Order(StringComparer.Ordinal).ToList(),
        ["by padded ones"] = async c => await c.Words.OrderBy(w => w.Padded).ThenBy(w => w.Id).Take(9).Select(w => new { w.Padded, w.Id }).ToListAsync(),
        ["greatest padded ones, a page"] = async c => await c.Words.GroupBy(w => w.Id % 5).Select(g => new { g.Key, Most = g.Max(w => w.Padded) }).OrderBy(g => g.Most).ThenBy(g => g.Key).Take(3).ToListAsync(),
        ["by a language, of limited length"] = async c => await c.Words.OrderBy(w => w.Limited).ThenBy(w => w.Id).Select(w => w.Id).ToListAsync(),
        ["the greatest by a language, of limited length"] = async c => await c.Words.MaxAsync(w => w.Limited),
        ["by a language, in a complex type"] = async c => await c.Words.OrderBy(w => w.Spelling.Text).ThenBy(w => w.Id).Select(w => w.Id).ToListAsync(),
        ["groups by a language, in a complex type"] = async c => await c.Words.GroupBy(w => w.Spelling.Text).Select(g => new { g.Key, Count = g.Count() }).OrderBy(g => g.Key).Take(5).ToListAsync(),
        ["the first of each group by a language"] = async c => (await c.Words.GroupBy(w => w.Id % 3).Select(g => g.OrderBy(w => w.Limited).ThenBy(w => w.Id).First()).ToListAsync()).Select(w => w.Id).Order().ToList(),
        ["in any case"] = async c => await c.Words.GroupBy(w => w.AnyCase).Select(g => new { Count = g.Count(), Least = g.Min(w => w.Id) }).OrderBy(g => g.Least).ToListAsync(),
        ["existence behind a page of the default shard"] = async c => await c.Words.CountAsync(w => c.Settings.OrderBy(s => s.Id).Skip(100).Any()),
    };

    public static TheoryData<string> Queries => [.. _queries.Keys];

    [Theory]
    [MemberData(nameof(Queries))]
    public async Task They_are_what_they_are_in_one_database(string name)
    {
        await using var whole = databases.Whole();
        await using var sharded = databases.Sharded.CreateDbContext();
        Assert.Equal(JsonSerializer.Serialize(await _queries[name](whole)), JsonSerializer.Serialize(await _queries[name](sharded)));
    }

    [Fact]
    public async Task What_is_computed_of_them_has_no_certain_type()
    {
        await using var sharded = databases.Sharded.CreateDbContext();
        foreach (var query in (IQueryable<string?>[])
            [
                sharded.Words.Select(w => w.Padded!.Trim()).Distinct(),
                sharded.Words.Select(w => w.Padded ?? "longer than that").Distinct(),
                sharded.Words.Select(w => w.AnyCase!.Trim()).Distinct(),
            ])
        {
            Assert.Equal(ScatterRule.UnknownType, (await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(() => query.ToListAsync())).Rule);
        }
    }

    [Theory]
    [InlineData("DateStyle", "SQL,DMY")]
    [InlineData("IntervalStyle", "sql_standard")]
    [InlineData("extra_float_digits", "0")]
    public async Task Values_are_not_collected_where_a_shard_writes_other_texts(string setting, string value)
    {
        await using var services = databases.Services($"-c {setting}={value}");
        await using var sharded = services.GetRequiredService<ShardedDbContextFactory<WordsContext>>().CreateDbContext();
        Dictionary<string, IQueryable<object>> queries = new()
        {
            ["DateStyle"] = sharded.Words.Select(w => (object)w.Day).Distinct(),
            ["IntervalStyle"] = sharded.Words.Select(w => (object)w.Span).Distinct(),
            ["extra_float_digits"] = sharded.Words.Select(w => (object)w.Share).Distinct(),
        };
        foreach (var (name, query) in queries)
        {
            if (name != setting)
            {
                Assert.Equal(30, (await query.ToListAsync()).Count);
                continue;
            }

            var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => query.ToListAsync());
            Assert.Contains("shard 'south' would write them in a way", refusal.Message, StringComparison.Ordinal);
            Assert.Contains(setting, refusal.InnerException!.Message, StringComparison.Ordinal);
            Assert.Equal(refusal.Message, Assert.Throws<InvalidOperationException>(() => query.ToList()).Message);
        }
    }
}
