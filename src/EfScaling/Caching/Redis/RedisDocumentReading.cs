using EfScaling.Consistency;

namespace EfScaling.Caching.Redis;

/// <summary>Reads a document by one HGET.</summary>
internal sealed class RedisDocumentReading(string key, Moment started, TimeSpan limit, TimeProvider clock)
    : RedisOperation<RedisDocument>("read_document", started, limit, clock, blocks: false)
{
    /// <inheritdoc />
    public override void Write(RespWriter writer)
    {
        writer.Command(3);
        writer.Part("HGET"u8);
        writer.Part(key);
        writer.Part(RedisDocumentScripts.ValueField);
    }

    /// <inheritdoc />
    public override bool Accept(RespReader reply, RedisConnection connection)
    {
        var token = reply.Read();
        if (token.IsError)
        {
            return Refuse(RedisError.Read(token.Text, "hget", connection.User));
        }

        if (token.IsAggregate)
        {
            throw new RespException("The answer is several values where one belongs.");
        }

        Complete(new RedisDocument(null, token.Type == RespType.Null ? null : token.Text.ToArray()));
        return true;
    }

    /// <inheritdoc />
    protected override RedisDocument FailedWith(RedisFailure failure) => new(failure, null);
}
