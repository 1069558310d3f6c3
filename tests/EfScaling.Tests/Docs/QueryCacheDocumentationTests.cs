using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using EfScaling.Caching;
using EfScaling.Caching.Redis;
using EfScaling.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Docs;

/// <summary>What docs/query-cache.md says exists, and what exists it says.</summary>
public partial class QueryCacheDocumentationTests
{
    private static readonly string Page = ShownCode.Read("docs", "query-cache.md");

    [Fact]
    public void Every_piece_of_code_is_compiled()
    {
        var compiled = ShownCode.Flat(ShownCode.Read("tests", "EfScaling.Tests", "Docs", "QueryCacheSnippets.cs"));
        string[] shown = [.. ShownCode.In(Page), .. ShownCode.In(ShownCode.Read("README.md")).Where(c => c.Contains("Cache", StringComparison.Ordinal))];

        Assert.True(shown.Length > 5);
        Assert.All(shown, code => Assert.Contains(ShownCode.Flat(code), compiled, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_setting_outcome_obstacle_and_operator_is_named()
    {
        string[] names =
        [
            .. Enum.GetNames<CacheOutcome>(),
            .. Enum.GetNames<CacheObstacle>(),
            .. Enum.GetNames<PublishFailure>(),
            .. MethodsOf(typeof(QueryCacheOptionsBuilder)),
            .. typeof(RedisOptions).GetProperties().Select(p => p.Name).Except([nameof(RedisOptions.Endpoints), "EqualityContract"]),
            .. MethodsOf(typeof(EfScalingQueryableExtensions)).Except(["AsReplica", "WithMaxStaleness", "WithContract", "OnShard"]),
            .. MethodsOf(typeof(EfScalingDatabaseFacadeExtensions)).Where(m => m.Contains("Cache", StringComparison.Ordinal) || m.Contains("Written", StringComparison.Ordinal)),
        ];

        Assert.All(names, name => Assert.Matches($@"`[^`\n]*\b{name}\b", Page));
    }

    [Fact]
    public void Every_event_is_named_with_its_id()
    {
        var events = typeof(EfScalingEventId).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(f => (f.Name, Id: (int)f.GetRawConstantValue()!))
            .Where(e => e.Id is (>= 720_300 and < 720_400) or (>= 720_500 and < 720_600))
            .ToList();

        Assert.Contains(events, e => e.Name == nameof(EfScalingEventId.ChangeStreamRefused));
        Assert.All(events, e => Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"| `{e.Name}` | {e.Id} |"), Page, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_instrument_is_named()
    {
        var source = string.Concat(new[] { "QueryCacheMeter.cs", "CachingMeter.cs", "ChangeStreamMeter.cs" }.Select(f => ShownCode.Read("src", "EfScaling", "Diagnostics", f)));
        string[] names = [.. Instrument().Matches(source).Select(m => m.Value)];

        Assert.True(names.Length > 5);
        Assert.All(names, name => Assert.Contains($"`{name.Trim('"')}`", Page, StringComparison.Ordinal));
    }

    private static IEnumerable<string> MethodsOf(Type type) =>
        type.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(m => !m.IsSpecialName && !m.IsDefined(typeof(CompilerGeneratedAttribute)))
            .Select(m => m.Name)
            .Distinct();

    [GeneratedRegex("\"efscaling\\.(?:caching|replication\\.changes)\\.[a-z.]+\"")]
    private static partial Regex Instrument();
}
