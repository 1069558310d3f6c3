using System.Collections.Concurrent;
using EfScaling.Routing;
using EfScaling.Topology;

namespace EfScaling.Sample.Sharded;

/// <summary>Judges what visitors of the sharded feed see.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class ShardedChecker
{
    private const int MostProblems = 10;

    private readonly ConcurrentQueue<string> _problems = new();
    private readonly ConcurrentDictionary<string, long> _replicaReads = new();
    private long _commands;
    private long _elsewhere;
    private long _readBacks;
    private long _lost;
    private long _handovers;
    private long _lostHandovers;
    private long _posts;
    private long _failures;

    public long Commands => Interlocked.Read(ref _commands);

    public long Elsewhere => Interlocked.Read(ref _elsewhere);

    public long ReadBacks => Interlocked.Read(ref _readBacks);

    public long Lost => Interlocked.Read(ref _lost);

    public long Handovers => Interlocked.Read(ref _handovers);

    public long LostHandovers => Interlocked.Read(ref _lostHandovers);

    public long Posts => Interlocked.Read(ref _posts);

    public long Failures => Interlocked.Read(ref _failures);

    public IReadOnlyCollection<string> Problems => [.. _problems];

    /// <summary>Returns the reads that a replica of a shard answered.</summary>
    public long ReplicaReadsOf(string shard) => _replicaReads.GetValueOrDefault(shard);

    /// <summary>Judges where a command ran.</summary>
    public void Ran(RoutingDecision? decision, string shard)
    {
        Interlocked.Increment(ref _commands);
        if (decision?.Shard != shard)
        {
            Interlocked.Increment(ref _elsewhere);
            Note($"a command of shard '{shard}' ran on '{decision?.Shard}'");
        }
        else if (decision.Value.Role == NodeRole.Replica)
        {
            _replicaReads.AddOrUpdate(shard, 1, (_, count) => count + 1);
        }
    }

    /// <summary>Notes a post that was acknowledged.</summary>
    public void Posted() => Interlocked.Increment(ref _posts);

    /// <summary>Judges a read of what the same session has just written.</summary>
    public void ReadBack(bool isFound)
    {
        Interlocked.Increment(ref _readBacks);
        if (!isFound)
        {
            Interlocked.Increment(ref _lost);
            Note("a session did not see its own post");
        }
    }

    /// <summary>Judges what a session sees of another one whose token it was given: a post in the feed, and a sign-in in the accounts.</summary>
    public void HandedOver(bool seesPost, bool seesSignIn)
    {
        Interlocked.Increment(ref _handovers);
        if (!seesPost || !seesSignIn)
        {
            Interlocked.Increment(ref _lostHandovers);
            Note($"a session with a token did not see {(seesPost ? "the sign-in" : "the post")}");
        }
    }

    /// <summary>Notes what went wrong.</summary>
    public void Failed(string problem)
    {
        Interlocked.Increment(ref _failures);
        Note(problem);
    }

    private void Note(string problem)
    {
        if (_problems.Count < MostProblems)
        {
            _problems.Enqueue(problem);
        }
    }
}
