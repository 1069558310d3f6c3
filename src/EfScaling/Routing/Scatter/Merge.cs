using System.Collections.Immutable;

namespace EfScaling.Routing.Scatter;

/// <summary>How rows of several shards become those of one query.</summary>
/// <param name="Columns">The number of columns that the query shows; those behind are keys of the order.</param>
/// <param name="Keys">The order; empty if the rows may come as they come.</param>
/// <param name="Page">Which rows of the order to give.</param>
/// <param name="ComparesDefaultTexts">Whether a key is text that is ordered by the database's own collation, which must be the order of its bytes.</param>
/// <param name="Sequence">The order, if it begins with the shard key and not all rows are wanted: then the plan in sequence is another way.</param>
internal sealed record Merge(int Columns, ImmutableArray<MergeKey> Keys, Page Page, bool ComparesDefaultTexts, ShardSequence? Sequence);
