using EfScaling.Consistency;

namespace EfScaling.Caching.Redis;

/// <summary>Asks for reports of changes of keys by their prefix, or for none.</summary>
/// <remarks>It has no time limit of its own: also a late answer tells whether changes are reported.</remarks>
/// <param name="prefixes">The prefixes; <see langword="null"/> ends all reports.</param>
internal sealed class RedisTrackingRequest(IReadOnlyList<string>? prefixes, Moment started, TimeProvider clock)
    : RedisOperation<RedisReply>("track", started, TimeSpan.MaxValue, clock, blocks: false)
{
    /// <summary>Gets whether reports were ended before it, so that changes in between are unknown.</summary>
    public bool StartsAnew { get; init; }

    /// <inheritdoc />
    public override void Write(RespWriter writer)
    {
        writer.Command(prefixes is null ? 3 : 4 + (prefixes.Count * 2));
        writer.Part("CLIENT"u8);
        writer.Part("TRACKING"u8);
        writer.Part(prefixes is null ? "OFF"u8 : "ON"u8);
        if (prefixes is not null)
        {
            writer.Part("BCAST"u8);
            foreach (var prefix in prefixes)
            {
                writer.Part("PREFIX"u8);
                writer.Part(prefix);
            }
        }
    }

    /// <inheritdoc />
    public override bool Accept(RespReader reply, RedisConnection connection)
    {
        var token = reply.Read();
        if (prefixes is not null)
        {
            connection.Tracking.Answered(token.IsError);
            if (StartsAnew)
            {
                connection.Report(null);
            }
        }

        if (token.IsError)
        {
            return Refuse(RedisError.Read(token.Text, "client|tracking", connection.User));
        }

        Complete(default);
        return true;
    }

    /// <inheritdoc />
    protected override RedisReply FailedWith(RedisFailure failure) => new(failure, true, 0);
}
