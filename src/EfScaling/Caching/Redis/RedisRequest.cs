using EfScaling.Consistency;

namespace EfScaling.Caching.Redis;

/// <summary>A command that was sent, or several one after the other, and whoever waits for the answer.</summary>
/// <remarks>
/// The answer, the end of the time limit, a cancellation and the end of the connection race to complete it; the first wins. It stays among those that the
/// connection expects answers to, because a late answer must still be taken off the line.
/// </remarks>
internal abstract class RedisRequest(string operation, Moment started, TimeSpan limit)
{
    private int _isComplete;

    /// <summary>Gets the name of the operation in logs and metrics.</summary>
    public string Operation => operation;

    /// <summary>Gets when the operation began.</summary>
    public Moment Started => started;

    /// <summary>Gets how long it may take.</summary>
    public TimeSpan Limit => limit;

    /// <summary>Gets whether nothing has completed it yet.</summary>
    public bool IsPending => Volatile.Read(ref _isComplete) == 0;

    /// <summary>Gets what the server said if it refused.</summary>
    public RedisFailure? Refusal { get; protected set; }

    /// <summary>Writes the next command.</summary>
    public abstract void Write(RespWriter writer);

    /// <summary>Reads the answer to it.</summary>
    /// <returns>Whether that was the last; otherwise it is to be sent again.</returns>
    public abstract bool Accept(RespReader reply, RedisConnection connection);

    /// <summary>Completes it without an answer.</summary>
    /// <returns><see langword="false"/> if it is complete.</returns>
    public abstract bool Fail(RedisFailure failure);

    /// <summary>Claims the right to complete it.</summary>
    protected bool TryClaim() => Interlocked.Exchange(ref _isComplete, 1) == 0;
}
