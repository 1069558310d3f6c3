using System.Text;
using EfScaling.Consistency;

namespace EfScaling.Caching.Redis;

/// <summary>Asks whether the server is there, and still who it was.</summary>
/// <remarks>INFO rather than PING: a server can be made a replica, given older data and be made a master again without a connection being closed.</remarks>
internal sealed class RedisHeartbeatRequest(Moment started, TimeSpan limit, TimeProvider clock) : RedisOperation<RedisReply>("heartbeat", started, limit, clock, blocks: false)
{
    /// <inheritdoc />
    public override void Write(RespWriter writer)
    {
        writer.Command(2);
        writer.Part("INFO"u8);
        writer.Part("replication"u8);
    }

    /// <inheritdoc />
    public override bool Accept(RespReader reply, RedisConnection connection)
    {
        var token = reply.Read();
        if (token.IsError)
        {
            return Refuse(RedisError.Read(token.Text, "info", connection.User));
        }

        if (!connection.Server.IsStill(Encoding.UTF8.GetString(token.Text)))
        {
            connection.End(new(RedisFailureKind.ReadOnly, "the server is no longer the master that it was"));
        }

        Complete(default);
        return true;
    }

    /// <inheritdoc />
    protected override RedisReply FailedWith(RedisFailure failure) => new(failure, true, 0);
}
