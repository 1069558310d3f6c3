using System.Collections;
using Microsoft.EntityFrameworkCore.Update;

namespace EfScaling.Routing.Shards;

/// <summary>The batches of a SaveChanges, which can be gone through again while only the first one was executed, and in vain.</summary>
/// <remarks>EF makes them one by one, because later ones hold what the database has generated for earlier ones. Not thread-safe.</remarks>
internal sealed class RepeatableBatches(IEnumerable<ModificationCommandBatch> batches) : IEnumerable<ModificationCommandBatch>, IDisposable
{
    private readonly IEnumerator<ModificationCommandBatch> _batches = batches.GetEnumerator();
    private ModificationCommandBatch? _first;

    /// <summary>Gets whether they can still be gone through from the beginning.</summary>
    public bool CanRepeat { get; private set; } = true;

    /// <inheritdoc />
    public IEnumerator<ModificationCommandBatch> GetEnumerator()
    {
        if (_first is null)
        {
            if (!_batches.MoveNext())
            {
                yield break;
            }

            _first = _batches.Current;
        }

        yield return _first;
        while (_batches.MoveNext())
        {
            CanRepeat = false;
            yield return _batches.Current;
        }
    }

    /// <inheritdoc />
    public void Dispose() => _batches.Dispose();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
