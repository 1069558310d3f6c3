namespace EfScaling.Sample.Report;

/// <summary>What a run was set up with.</summary>
/// <param name="IsEmbedded">Whether the program started the servers on this machine.</param>
/// <param name="Primary">Host and port of the primary.</param>
/// <param name="Replicas">Host and port of each replica.</param>
/// <param name="Redis">Where the cache is.</param>
/// <param name="Processors">Processors of this machine, which embedded servers share with the program.</param>
/// <param name="Users">People in the graph.</param>
/// <param name="Friendships">Friendships in the graph.</param>
/// <param name="Follows">Rows they were loaded as.</param>
/// <param name="Posts">Posts before the load.</param>
/// <param name="Workers">Visitors at the same time, in all loads.</param>
/// <param name="LagMilliseconds">How much later the last replica was made to show each commit; <see langword="null"/> for servers of the environment.</param>
internal sealed record RunSetup(
    bool IsEmbedded,
    string Primary,
    IReadOnlyList<string> Replicas,
    string Redis,
    int Processors,
    int Users,
    int Friendships,
    int Follows,
    int Posts,
    int Workers,
    double? LagMilliseconds);
