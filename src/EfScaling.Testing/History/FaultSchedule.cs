using System.Collections;

namespace EfScaling.Testing.History;

/// <summary>An endless sequence of faults that is the same for the same seed: each kind once, in a random order, and again.</summary>
/// <param name="seed">The seed.</param>
/// <param name="standbys">How many standbys there are.</param>
/// <param name="kinds">The kinds of faults; all by default.</param>
public sealed class FaultSchedule(int seed, int standbys, IReadOnlyList<FaultKind>? kinds = null) : IEnumerable<Fault>
{
    private static readonly int[] _lags = [0, 20, 100, 200, 300];

    /// <inheritdoc />
    public IEnumerator<Fault> GetEnumerator()
    {
        var random = new Random(seed);
        FaultKind[] round = [.. kinds ?? Enum.GetValues<FaultKind>()];
        while (round.Length > 0)
        {
            random.Shuffle(round);
            foreach (var kind in round)
            {
                yield return new Fault(
                    kind, random.Next(standbys), TimeSpan.FromMilliseconds(random.Next(500, 1_200)), TimeSpan.FromMilliseconds(_lags[random.Next(_lags.Length)]));
            }
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
