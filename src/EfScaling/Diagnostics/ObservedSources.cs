using System.Collections.Immutable;

namespace EfScaling.Diagnostics;

/// <summary>What an instrument asks for its value at the moment when somebody collects it.</summary>
/// <remarks>Thread-safe. Nothing is asked, and so nothing is paid, while nobody listens.</remarks>
internal sealed class ObservedSources<T>
{
    private ImmutableArray<Func<T>> _sources = [];

    /// <summary>Adds a source.</summary>
    public void Add(Func<T> source) => ImmutableInterlocked.Update(ref _sources, static (all, added) => all.Add(added), source);

    /// <summary>Removes a source.</summary>
    public void Remove(Func<T> source) => ImmutableInterlocked.Update(ref _sources, static (all, removed) => all.Remove(removed), source);

    /// <summary>Asks all of them.</summary>
    public IEnumerable<T> Read() => _sources.Select(s => s());
}
