using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Replication;

/// <summary>The outcome of a search for a replica.</summary>
/// <param name="Node">The chosen replica, or <see langword="null"/> if none may serve the read.</param>
/// <param name="VisibleThrough">Until when everything committed is visible on it.</param>
/// <param name="Nearest">Without a node: the judgement of the node that came nearest to serving, the best single reason there is.</param>
/// <param name="IsTrial">Whether the read tries a node whose ban has run out; the caller must end the trial.</param>
/// <param name="Guard">What the node itself must prove to have replayed; <see cref="WalPosition.None"/> if nothing is left to prove.</param>
/// <param name="UnknownSince">
/// Without a node: the moment since which a position of the primary would let a node prove itself; <see cref="Moment.Never"/> if that would not help.
/// </param>
internal readonly record struct ReplicaChoice(
    Node? Node,
    Moment VisibleThrough,
    Freshness Nearest,
    bool IsTrial,
    WalPosition Guard = default,
    Moment? UnknownSince = null);
