using EfScaling.Consistency;

namespace EfScaling.Tests.AspNetCore;

/// <summary>Tokens of made-up clusters.</summary>
internal static class Tokens
{
    public static ConsistencyToken One { get; } = Of(7, 1_000);

    public static ConsistencyToken Later { get; } = Of(7, 2_000);

    public static ConsistencyToken Other { get; } = Of(8, 500);

    /// <summary>The longest that a token of one unnamed shard can be.</summary>
    public static ConsistencyToken Longest { get; } =
        new([new ShardPosition(string.Empty, ulong.MaxValue, uint.MaxValue, new WalPosition(ulong.MaxValue), ulong.MaxValue)]);

    private static ConsistencyToken Of(ulong systemId, ulong position) => new([new ShardPosition(string.Empty, systemId, Timeline: 1, new WalPosition(position))]);
}
