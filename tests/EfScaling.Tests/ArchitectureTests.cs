using System.Text.RegularExpressions;

namespace EfScaling.Tests;

/// <summary>The folders of <c>src/EfScaling</c> are layers. This table is the rule; change it together with the code.</summary>
public sealed partial class ArchitectureTests
{
    private const string Root = "";

    // Folder and what it may use, in the order of reading.
    private static readonly Dictionary<string, string[]> _mayUse = new()
    {
        ["Diagnostics"] = [],
        ["Topology"] = [],
        ["Consistency"] = ["Topology", "Diagnostics"],
        ["Replication"] = ["Topology", "Consistency", "Diagnostics"],

        // A shard is a cluster, whose replicas are named with it.
        ["Sharding"] = ["Topology", "Replication", "Diagnostics"],
        ["Caching"] = ["Topology", "Consistency", "Diagnostics"],
        ["Projections"] = ["Topology", "Consistency", "Diagnostics", "Caching"],
        ["Routing"] = ["Diagnostics", "Topology", "Consistency", "Replication", "Sharding", "Caching"],
        ["Infrastructure"] = ["Diagnostics", "Topology", "Consistency", "Replication", "Sharding", "Caching", "Projections", "Routing"],

        // Entry points name the settings and values of the capabilities, and operators hand on what Routing carries out.
        [Root] = ["Infrastructure", "Consistency", "Replication", "Sharding", "Caching", "Projections", "Routing"],
    };

    // Infrastructure recognises the provider by its options extension; it opens nothing.
    private static readonly string[] _mayUseNpgsql = ["Topology", "Replication", "Sharding", "Routing", "Infrastructure"];

    // Names the kinds of nodes that the provider adds to EF's SQL tree; holds no connection.
    private static readonly string[] _mayNameProviderNodes = ["Caching/ProviderNodes.cs"];
    // Values of the provider's types are kept as any other; nothing here talks to a server.
    private static readonly string[] _mayUseNpgsqlValues = ["Caching/Rows/"];

    // Documents of projections are kept over the same connection code; the protocol is not seen there.
    private static readonly string[] _mayKeepDocumentsInRedis = ["Projections/ProjectionBuilder.Keyed.cs", "Projections/RedisDocumentStore.cs"];

    private static readonly string[] _forbiddenFolders = ["Helpers", "Utils", "Common", "Extensions", "Abstractions", "Models"];

    private static readonly string _source = Path.Combine(SourceTree.Root, "src", "EfScaling");

    private static readonly (string Folder, string Path, string Text)[] _files =
    [
        .. Directory.EnumerateFiles(_source, "*.cs", SearchOption.AllDirectories)
            .Select(path => (Path: path, Parts: Path.GetRelativePath(_source, path).Split(Path.DirectorySeparatorChar)))
            .Where(f => f.Parts[0] is not ("bin" or "obj"))
            .Select(f => (f.Parts.Length > 1 ? f.Parts[0] : Root, string.Join('/', f.Parts), File.ReadAllText(f.Path))),
    ];

    [Fact]
    public void A_folder_uses_only_what_its_row_names()
    {
        Assert.NotEmpty(_files);
        Assert.Empty(
            from file in _files
            from used in Uses().Matches(file.Text).Select(m => m.Groups["folder"].Value).Distinct()
            where used != file.Folder && _mayUse.ContainsKey(used) && !_mayUse[file.Folder].Contains(used)
            select $"{file.Path} uses EfScaling.{used}");
    }

    [Fact]
    public void Every_folder_has_a_row() => Assert.Empty(_files.Select(f => f.Folder).Except(_mayUse.Keys));

    [Fact]
    public void No_capability_uses_the_root_namespace() =>
        Assert.Empty(_files.Where(f => f.Text.Contains("using EfScaling;", StringComparison.Ordinal)).Select(f => f.Path));

    [Fact]
    public void Folder_and_namespace_agree() =>
        Assert.Empty(
            from file in _files
            where file.Folder != Root
            let folder = string.Join('.', file.Path.Split('/')[..^1])
            where !file.Text.Contains($"\nnamespace EfScaling.{folder};", StringComparison.Ordinal) && !file.Text.StartsWith($"namespace EfScaling.{folder};", StringComparison.Ordinal)
            select file.Path);

    [Fact]
    public void Entry_points_live_in_the_namespace_of_what_they_extend() =>
        Assert.All(
            _files.Where(f => f.Folder == Root),
            f => Assert.Matches("(?m)^namespace Microsoft\\.(EntityFrameworkCore|Extensions\\.DependencyInjection);", f.Text));

    [Fact]
    public void Npgsql_types_stay_where_servers_are_talked_to() =>
        Assert.Empty(
            from file in _files
            where !_mayUseNpgsql.Contains(file.Folder) && !_mayNameProviderNodes.Contains(file.Path)
            let code = Code(file.Text)
            where (_mayUseNpgsqlValues.Any(file.Path.StartsWith) ? NpgsqlServers() : Npgsql()).IsMatch(code)
            select file.Path);

    [Fact]
    public void The_Redis_protocol_stays_in_its_folder() =>
        Assert.Empty(
            _files.Where(f => f.Text.Contains("using EfScaling.Caching.Redis", StringComparison.Ordinal) && !f.Path.StartsWith("Caching/Redis/", StringComparison.Ordinal) && f.Folder is not ("Infrastructure" or Root))
                .Where(f => !_mayKeepDocumentsInRedis.Contains(f.Path))
                .Select(f => f.Path));

    [Fact]
    public void A_file_is_named_after_its_type() =>
        Assert.Empty(
            from file in _files
            let type = Path.GetFileName(file.Path).Split('.')[0]
            where !Regex.IsMatch(file.Text, $@"(?m)^(public|internal) .*\b(class|struct|record|enum|interface) {type}\b")
            select file.Path);

    [Fact]
    public void No_folder_is_a_drawer_for_anything() => Assert.Empty(_files.SelectMany(f => f.Path.Split('/')[..^1]).Intersect(_forbiddenFolders));

    private static string Code(string text) => Comment().Replace(text, string.Empty);

    [GeneratedRegex(@"\bEfScaling\.(?<folder>[A-Z]\w+)\b")]
    private static partial Regex Uses();

    [GeneratedRegex(@"using Npgsql\b|\bNpgsql\.|\bNpgsql[A-Z]\w+")]
    private static partial Regex Npgsql();

    [GeneratedRegex(@"using Npgsql\b|\bNpgsql\.|\bNpgsql(Connection|Command|DataReader|DataSource|Batch|Transaction|Parameter)\w*")]
    private static partial Regex NpgsqlServers();

    [GeneratedRegex(@"//.*")]
    private static partial Regex Comment();
}
