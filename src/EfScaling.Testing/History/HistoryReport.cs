using System.Globalization;
using System.Text;

namespace EfScaling.Testing.History;

/// <summary>What a <see cref="HistoryRun"/> found.</summary>
/// <param name="Seed">The seed of the run.</param>
/// <param name="Events">The history.</param>
/// <param name="Failures">How often operations failed, by their error.</param>
/// <param name="Violations">The rules that were broken, with proof.</param>
public sealed record HistoryReport(
    int Seed, IReadOnlyList<HistoryEvent> Events, IReadOnlyDictionary<string, int> Failures, IReadOnlyList<HistoryViolation> Violations)
{
    private const int MaxPrinted = 5;

    /// <summary>Gets the violations for which PostgreSQL itself is no excuse: all but those of <see cref="HistoryRule.MonotonicOnPrimary"/> and
    /// <see cref="HistoryRule.MonotonicInCache"/>.</summary>
    public IEnumerable<HistoryViolation> Breaches => Violations.Where(IsBreach);

    /// <summary>Gets the number of reads that were checked: queries, each of which may have read several registers.</summary>
    public int Reads => Commands(HistoryOperation.Read).Count();

    /// <summary>Gets the number of those reads that a query cache answered.</summary>
    public int Hits => Commands(HistoryOperation.Read).Count(HistoryChecker.IsHit);

    /// <summary>Gets the number of writes, acknowledged or not.</summary>
    public int Writes => Commands(HistoryOperation.Write).Count();

    /// <summary>Writes the counts, the faults and the first violations.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Seed {Seed}: {Reads:N0} reads of {Events.Count(e => e.Operation == HistoryOperation.Read):N0} values, {Hits:N0} from a cache, {Writes:N0} writes, {Failures.Values.Sum():N0} failed operations, {Violations.Count} violations");
        foreach (var fault in Events.Where(e => e.Operation is HistoryOperation.Fault or HistoryOperation.Quiet).OrderBy(e => e.Started))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {fault}");
        }

        Count(text, "Reads by contract and reason", Commands(HistoryOperation.Read).Select(e => $"{e.Contract} {e.Routing?.Role} {e.Routing?.Reason}"));
        Count(text, "Reads by cache and outcome", Commands(HistoryOperation.Read).Where(e => e.Routing?.Cache is not null).Select(e => $"cache {e.Cache} {e.Routing?.Cache}"));
        Count(text, "Reads by kind", Commands(HistoryOperation.Read).Select(e => e.How));
        Count(text, "Writes by kind and outcome", Commands(HistoryOperation.Write).Select(e => $"{e.How} {e.Outcome}{(e.IsUnpublished ? ", not published at once" : "")}"));
        List(text, "Failed operations", Failures);
        Count(text, "Violations", Violations.Select(v => $"{v.Rule}"));
        foreach (var violation in Violations.Take(MaxPrinted))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{violation}");
        }

        return text.ToString();
    }

    internal static bool IsBreach(HistoryViolation violation) => violation.Rule is not (HistoryRule.MonotonicOnPrimary or HistoryRule.MonotonicInCache);

    private IEnumerable<HistoryEvent> Commands(HistoryOperation operation) => Events.Where(e => e.Operation == operation).DistinctBy(e => e.Command);

    private static void Count(StringBuilder text, string title, IEnumerable<string> names) => List(text, title, names.CountBy(n => n));

    private static void List(StringBuilder text, string title, IEnumerable<KeyValuePair<string, int>> counts)
    {
        text.AppendLine(CultureInfo.InvariantCulture, $"{title}:");
        foreach (var (name, count) in counts.OrderByDescending(c => c.Value))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {count,9:N0}  {name}");
        }
    }
}
