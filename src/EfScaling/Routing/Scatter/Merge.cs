using System.Collections.Immutable;
using EfScaling.Routing.Shards;

namespace EfScaling.Routing.Scatter;

/// <summary>How rows of several shards become those of one query.</summary>
/// <param name="Columns">The number of columns that the query shows; those behind are keys of the order.</param>
/// <param name="Keys">The order; empty if the rows may come as they come.</param>
/// <param name="Offset">How many rows to leave out: the least of some numbers; empty for none.</param>
/// <param name="Limit">How many rows to give then: the least of some numbers; empty for all.</param>
/// <param name="ComparesDefaultTexts">Whether a key is text that is ordered by the database's own collation, which must be the order of its bytes.</param>
internal sealed record Merge(int Columns, ImmutableArray<MergeKey> Keys, ImmutableArray<KeyTerm> Offset, ImmutableArray<KeyTerm> Limit, bool ComparesDefaultTexts);
