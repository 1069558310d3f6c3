using System.Collections.Concurrent;

namespace EfScaling.Caching;

/// <summary>Decides which results are worth keeping: those of tables that are written all the time are read, sent to the store and thrown away.</summary>
/// <remarks>
/// Of a query whose balance ran out, a result is kept only when it is asked for a second time under the same versions, so that it is used again soon after
/// the writes have ended, and now and then without that. Knows no tables: what counts is how often the query itself is asked between two writes. Thread-safe.
/// </remarks>
internal sealed class FillBalances(TimeProvider clock)
{
    /// <summary>How many queries are told apart at most.</summary>
    public const int Capacity = 10_000;

    // A question that another one drives out must be asked once more.
    private const int Questions = 4_096;

    private readonly ConcurrentDictionary<UInt128, FillBalance> _balances = new();
    private ulong[]? _asked;
    private int _count;

    /// <summary>Returns the balance of a query, which is shared by all of the same SQL.</summary>
    /// <param name="text">Digest of the SQL.</param>
    public FillBalance Of(UInt128 text)
    {
        if (_balances.TryGetValue(text, out var known))
        {
            return known;
        }

        // Forgotten, each begins anew when it is translated anew.
        if (Interlocked.Increment(ref _count) > Capacity)
        {
            _balances.Clear();
            Volatile.Write(ref _count, 1);
        }

        return _balances.GetOrAdd(text, _ => new FillBalance(clock));
    }

    /// <summary>Returns whether a result that is read now is worth keeping.</summary>
    /// <param name="balance">That of its query.</param>
    /// <param name="result">Key of the query with its parameters.</param>
    /// <param name="stamp">The present versions of its tables.</param>
    public bool IsWorthKeeping(FillBalance balance, UInt128 result, UInt128 stamp) =>
        !balance.IsOut || WasAsked(result, stamp) || balance.TryProbe();

    private bool WasAsked(UInt128 result, UInt128 stamp)
    {
        var asked = LazyInitializer.EnsureInitialized(ref _asked, static () => new ulong[Questions]);
        ref var slot = ref asked[(int)((ulong)(result >> 64) % Questions)];
        var question = (ulong)result ^ (ulong)stamp;
        return Interlocked.Exchange(ref slot, question) == question;
    }
}
