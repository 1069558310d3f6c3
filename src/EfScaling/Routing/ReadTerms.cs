// The scope that is kept ends when the application disposes it.
#pragma warning disable CA1001

using EfScaling.Consistency;
using EfScaling.Replication;

namespace EfScaling.Routing;

/// <summary>What a context's queries ask of the data they are shown: each itself, else the scope around it, else the session, else the options.</summary>
/// <remarks>Not thread-safe, like the context.</remarks>
internal sealed class ReadTerms(ReplicaOptions options)
{
    private RoutingScope? _scope;

    /// <summary>Returns which data a query may be shown. A query that vouches for itself wants no primary.</summary>
    public ReadContract ContractOf(in QueryHints hints)
    {
        var contract = hints.Contract ?? _scope?.Contract ?? ConsistencySession.Current?.Contract ?? options.Contract;
        return contract == ReadContract.Primary && hints.Target == ReadTarget.Replica ? ReadContract.Session : contract;
    }

    /// <summary>Returns how old the data may be.</summary>
    public TimeSpan MaxStalenessOf(in QueryHints hints) =>
        ContractOf(hints) == ReadContract.Any ? TimeSpan.MaxValue : SaidStalenessOf(hints) ?? options.MaxStaleness;

    /// <summary>Returns how old the data may be by the query itself or the scope around it; <see langword="null"/> if neither says so.</summary>
    public TimeSpan? SaidStalenessOf(in QueryHints hints) => hints.MaxStaleness ?? _scope?.MaxStaleness;

    /// <summary>Opens a scope.</summary>
    public RoutingScope Enter(ReadContract? contract, TimeSpan? maxStaleness) => _scope = new RoutingScope(this, _scope, contract, maxStaleness);

    /// <summary>Closes a scope and every scope inside it.</summary>
    public void Leave(RoutingScope scope)
    {
        for (var open = _scope; open is not null; open = open.Outer)
        {
            if (open == scope)
            {
                _scope = scope.Outer;
                return;
            }
        }
    }

    /// <summary>Forgets the scopes.</summary>
    public void Forget() => _scope = null;
}
