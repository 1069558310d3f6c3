using System.Text.RegularExpressions;

namespace EfScaling.Tests.Docs;

/// <summary>What docs/query-cache-pitfalls.md says is tested is.</summary>
public partial class QueryCachePitfallsTests
{
    private static readonly (string Id, string Text)[] _pitfalls =
        [.. Row().Matches(ShownCode.Read("docs", "query-cache-pitfalls.md")).Select(m => (m.Groups["id"].Value, m.Groups["text"].Value))];

    [Fact]
    public void Every_pitfall_has_its_place()
    {
        string[] expected = [.. Ids('T', 8), .. Ids('R', 13), .. Ids('K', 10), .. Ids('D', 8), .. Ids('S', 10), .. Ids('O', 15)];

        Assert.Equal(expected, _pitfalls.Select(p => p.Id));
    }

    [Fact]
    public void Every_pitfall_has_a_test_or_a_limit_and_every_test_exists()
    {
        var files = Directory.EnumerateFiles(Path.Combine(SourceTree.Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .ToLookup(f => Path.GetFileNameWithoutExtension(f), StringComparer.Ordinal);
        Assert.All(_pitfalls, pitfall =>
        {
            var tests = Test().Matches(pitfall.Text);
            Assert.True(tests.Count > 0 || pitfall.Text.Contains("Limit:", StringComparison.Ordinal), $"{pitfall.Id} names neither a test nor a limit.");
            Assert.All(tests, test => Assert.True(
                files[test.Groups["class"].Value].Any(f => IsTest(File.ReadAllText(f), test.Groups["method"].Value)),
                $"{pitfall.Id} names {test.Value}, which is no test."));
        });
    }

    private static bool IsTest(string source, string method) =>
        Regex.IsMatch(source, $@"\[\w*(Fact|Theory)[^\n]*\](\s*\[[^\n]*\]|\s*//[^\n]*)*\s*public (async )?(virtual )?(async )?(void|Task) {method}\(", RegexOptions.CultureInvariant);

    private static IEnumerable<string> Ids(char letter, int count) => Enumerable.Range(1, count).Select(i => $"{letter}{i}");

    [GeneratedRegex(@"^\| (?<id>[A-Z]\d+) \|(?<text>[^\n]*)$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"`(?<class>\w+Tests|CacheStoreContract)\.(?<method>\w+)`")]
    private static partial Regex Test();
}
