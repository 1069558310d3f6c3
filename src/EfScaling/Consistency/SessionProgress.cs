using EfScaling.Topology;

namespace EfScaling.Consistency;

/// <summary>What one session has written to and seen of one cluster.</summary>
/// <remarks>
/// <para>
/// A position known before a query bounds from below what it saw; never going back needs a bound from above. That is why reads are kept as the server that
/// answered and the moment they ended: the same server never goes back, and whatever they showed was committed before that moment.
/// </para>
/// <para>Thread-safe.</para>
/// </remarks>
internal sealed class SessionProgress(string shard)
{
    private readonly Lock _lock = new();
    private ConsistencyToken _token = ConsistencyToken.None;
    private Moment _written = Moment.Never;
    private Moment _seenOnPrimary = Moment.Never;
    private ulong _lastServer;
    private Moment _lastRead = Moment.Never;
    private Moment _givenAt = Moment.Never;
    private int _held;

    /// <summary>Gets what is known by position.</summary>
    public ConsistencyToken Token
    {
        get
        {
            lock (_lock)
            {
                return _token;
            }
        }
    }

    /// <summary>Gets whether a connection is open on which anything may be written at any time.</summary>
    public bool IsHeld
    {
        get
        {
            lock (_lock)
            {
                return _held > 0;
            }
        }
    }

    /// <summary>Takes in what was written and seen elsewhere.</summary>
    /// <param name="token">The token.</param>
    /// <param name="now">The present moment.</param>
    public void Use(ConsistencyToken token, Moment now)
    {
        lock (_lock)
        {
            _token = _token.Merge(token);
            if (token.IsUnknown || token.Positions.Any(p => p.Shard == shard))
            {
                _givenAt = now;
            }

            foreach (var position in token.Positions.Where(p => p.Shard == shard && p.SeenOn != ShardPosition.Nowhere))
            {
                // Whatever was seen before the token came was committed before now.
                See(position.SeenOn == ShardPosition.Anywhere ? 0 : position.SeenOn, now);
            }
        }
    }

    /// <summary>Notes that the session has made results of the cache old: whatever answers it must have been told of writes since.</summary>
    public void MadeOld(Moment now)
    {
        lock (_lock)
        {
            _givenAt = now;
        }
    }

    /// <summary>Notes a write of which no position is known.</summary>
    /// <param name="before">A moment after its commit.</param>
    public void Wrote(Moment before)
    {
        lock (_lock)
        {
            _written = Moment.Later(_written, before);
        }
    }

    /// <summary>Notes a write.</summary>
    /// <param name="identity">Where it was committed.</param>
    /// <param name="position">A position at or above that of its commit.</param>
    public void Wrote(ServerIdentity identity, WalPosition position)
    {
        lock (_lock)
        {
            Add(new ShardPosition(shard, identity.SystemId, identity.Timeline, position));
        }
    }

    /// <summary>Notes that a connection is open on which anything may be written at any time.</summary>
    public void Hold()
    {
        lock (_lock)
        {
            _held++;
        }
    }

    /// <summary>Notes that such a connection is closed, or used elsewhere from now on.</summary>
    /// <param name="written">A moment after its last commit; <see cref="Moment.Never"/> if its writes are known.</param>
    public void Release(Moment written)
    {
        lock (_lock)
        {
            _held--;
            _written = Moment.Later(_written, written);
        }
    }

    /// <summary>Notes a read.</summary>
    /// <param name="server">The server that answered, by the time of its start; zero for the primary.</param>
    /// <param name="ended">A moment after its last row.</param>
    public void Read(ulong server, Moment ended)
    {
        lock (_lock)
        {
            See(server, ended);
        }
    }

    /// <summary>Returns what the next read must show.</summary>
    /// <param name="identity">The cluster and history of the present primary.</param>
    public Demand Demand(ServerIdentity identity)
    {
        lock (_lock)
        {
            var known = _token.Find(shard, identity.SystemId);
            return new Demand(
                Moment.Later(_written, _seenOnPrimary),
                known?.Position ?? WalPosition.None,
                _lastServer,
                _lastRead,
                HasWritten: _written != Moment.Never || known is { Position.Value: > 0 },
                NeedsPrimary: _token.IsUnknown || (known is { } position ? position.Timeline != identity.Timeline : _token.IsForeignTo(shard, identity.SystemId))) { GivenAt = _givenAt };
        }
    }

    /// <summary>Returns since when the position that a token needs is unknown; <see cref="Moment.Never"/> if it is known.</summary>
    /// <param name="identity">The cluster and history of the present primary, if known.</param>
    /// <param name="now">The present moment.</param>
    public Moment UnknownSince(ServerIdentity? identity, Moment now)
    {
        lock (_lock)
        {
            return _held > 0 || (identity is { } known && Demand(known).NeedsPrimary) || (identity is null && _token.IsUnknown) ? now : _written;
        }
    }

    /// <summary>Returns since when a position of the primary would make the token tell more; <see cref="Moment.Never"/> if it tells all.</summary>
    public Moment SeenSince
    {
        get
        {
            lock (_lock)
            {
                return _seenOnPrimary;
            }
        }
    }

    /// <summary>Returns the token of all that was written and seen.</summary>
    /// <param name="position">What the primary has answered; <see langword="null"/> if nothing was unknown or it did not answer.</param>
    /// <param name="identity">The cluster and history of the present primary, if known.</param>
    public ConsistencyToken Settle(ServerPosition? position, ServerIdentity? identity)
    {
        lock (_lock)
        {
            if (position is { } answer)
            {
                Settle(answer);
            }

            var seenOn = _held > 0 && position is null ? ShardPosition.Anywhere : SeenOn();
            if (identity is not { } known)
            {
                return seenOn == ShardPosition.Nowhere ? _token : _token.Merge(ConsistencyToken.Unknown);
            }

            // Where the token that came in was seen has become moments of this session when it came.
            return Demand(known).NeedsPrimary ? _token : _token.WithSeenOn(new ShardPosition(shard, known.SystemId, known.Timeline, WalPosition.None, seenOn));
        }
    }

    /// <summary>Forgets everything.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _token = ConsistencyToken.None;
            _lastServer = 0;
            _written = _seenOnPrimary = _lastRead = _givenAt = Moment.Never;
        }
    }

    // The lock must be held.
    private void Settle(ServerPosition answer)
    {
        // What the session knew of other histories of the cluster ends here, and whatever it saw before the question was asked was committed by then.
        // Other clusters are not the business of this answer.
        var position = new ShardPosition(shard, answer.Identity.SystemId, answer.Identity.Timeline, answer.Position);
        if (Demand(answer.Identity).NeedsPrimary)
        {
            _token = new ConsistencyToken([.. _token.Positions.Where(p => !p.IsOfSameShardAs(position))]);
        }

        Add(position);
        if (answer.AskedAt >= _written)
        {
            _written = Moment.Never;
        }

        if (answer.AskedAt >= _seenOnPrimary)
        {
            _seenOnPrimary = Moment.Never;
        }

        if (answer.AskedAt >= _lastRead)
        {
            (_lastServer, _lastRead) = (0, Moment.Never);
        }
    }

    // The lock must be held.
    private void Add(ShardPosition position) => _token = _token.Merge(new ConsistencyToken([position]));

    // The lock must be held.
    private void See(ulong server, Moment ended)
    {
        if (server == 0)
        {
            _seenOnPrimary = Moment.Later(_seenOnPrimary, ended);
            return;
        }

        if (_lastServer != 0 && _lastServer != server)
        {
            // Two reads at the same time may have gone to two servers, and neither shows what the other one has shown.
            _seenOnPrimary = Moment.Later(_seenOnPrimary, _lastRead);
        }

        (_lastServer, _lastRead) = (server, Moment.Later(_lastRead, ended));
    }

    // The lock must be held.
    private ulong SeenOn() =>
        _seenOnPrimary != Moment.Never || _written != Moment.Never ? ShardPosition.Anywhere : _lastServer;
}
