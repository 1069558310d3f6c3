using EfScaling.Consistency;

namespace EfScaling.Caching.Redis;

/// <summary>Reads an entry and its versions by one MGET, and gives missing versions a value by one script more.</summary>
internal sealed class RedisReading(string? entry, IReadOnlyList<string> versions, Moment started, TimeSpan limit, TimeProvider clock, bool blocks)
    : RedisOperation<CacheReading>("read", started, limit, clock, blocks)
{
    private bool _seeds;
    private bool _withSource;

    /// <inheritdoc />
    public override void Write(RespWriter writer)
    {
        if (_seeds)
        {
            RedisScripts.Seed.Write(writer, _withSource, versions.Count, 1);
        }
        else
        {
            writer.Command(versions.Count + (entry is null ? 1 : 2));
            writer.Part("MGET"u8);
            if (entry is not null)
            {
                writer.Part(entry);
            }
        }

        for (var i = 0; i < versions.Count; i++)
        {
            writer.Part(versions[i]);
        }

        if (_seeds)
        {
            writer.Part(RedisSeed.Next());
        }
    }

    /// <inheritdoc />
    public override bool Accept(RespReader reply, RedisConnection connection)
    {
        var head = reply.Read();
        if (head.IsError)
        {
            return AcceptError(head.Text, connection);
        }

        byte[]? value = null;
        var hasEntry = entry is not null && !_seeds;
        if (!head.IsAggregate || head.Count != versions.Count + (hasEntry ? 1 : 0))
        {
            throw new RespException("The answer has another number of values than were asked for.");
        }

        if (hasEntry)
        {
            var token = reply.Read();
            value = token.Type == RespType.Null ? null : token.Text.ToArray();
        }

        var numbers = new long[versions.Count];
        for (var i = 0; i < numbers.Length; i++)
        {
            if (!reply.Read().TryGetNumber(out numbers[i]))
            {
                // What the entry was read from is unknown then, so it is not handed on either.
                _seeds = !_seeds ? true : throw new RespException("A version is no number.");
                return false;
            }
        }

        Complete(CacheReading.Of(value is null ? null : (ReadOnlyMemory<byte>?)value, numbers, connection.Server.Incarnation));
        return true;
    }

    /// <inheritdoc />
    protected override CacheReading FailedWith(RedisFailure failure) => CacheReading.Failed(failure.Text);

    private bool AcceptError(ReadOnlySpan<byte> error, RedisConnection connection)
    {
        if (_seeds && !_withSource && RedisError.IsUnknownScript(error))
        {
            _withSource = true;
            return false;
        }

        return Refuse(RedisError.Read(error, !_seeds ? "mget" : _withSource ? "eval" : "evalsha", connection.User));
    }
}
