using EfScaling.Consistency;

namespace EfScaling.Caching.Redis;

/// <summary>Runs one command, or one script, that yields one value.</summary>
internal sealed class RedisCommand(string operation, Moment started, TimeSpan limit, TimeProvider clock, bool blocks)
    : RedisOperation<RedisReply>(operation, started, limit, clock, blocks)
{
    private bool _withSource;

    /// <summary>Gets the parts of the command with its name; if it is a script, its keys.</summary>
    public required IReadOnlyList<string> Parts { get; init; }

    /// <summary>Gets what follows them if it is no text; if it is a script, its first argument.</summary>
    public ReadOnlyMemory<byte>? Value { get; init; }

    /// <summary>Gets the parts that follow; if it is a script, its further arguments.</summary>
    public IReadOnlyList<string> Rest { get; init; } = [];

    /// <summary>Gets the script; <see langword="null"/> for a command.</summary>
    public RedisScript? Script { get; init; }

    /// <inheritdoc />
    public override void Write(RespWriter writer)
    {
        if (Script is not null)
        {
            Script.Write(writer, _withSource, Parts.Count, (Value is null ? 0 : 1) + Rest.Count);
        }
        else
        {
            writer.Command(Parts.Count + (Value is null ? 0 : 1) + Rest.Count);
        }

        for (var i = 0; i < Parts.Count; i++)
        {
            writer.Part(Parts[i]);
        }

        if (Value is { } value)
        {
            writer.Part(value.Span);
        }

        for (var i = 0; i < Rest.Count; i++)
        {
            writer.Part(Rest[i]);
        }
    }

    /// <inheritdoc />
    public override bool Accept(RespReader reply, RedisConnection connection)
    {
        var token = reply.Read();
        if (token.IsError)
        {
            if (Script is not null && !_withSource && RedisError.IsUnknownScript(token.Text))
            {
                _withSource = true;
                return false;
            }

            return Refuse(RedisError.Read(token.Text, Name, connection.User));
        }

        token.TryGetNumber(out var number);
        Complete(new RedisReply(null, token.Type == RespType.Null, number));
        return true;
    }

    /// <inheritdoc />
    protected override RedisReply FailedWith(RedisFailure failure) => new(failure, true, 0);

    private string Name => Script is null ? Parts[0] : _withSource ? "eval" : "evalsha";
}
