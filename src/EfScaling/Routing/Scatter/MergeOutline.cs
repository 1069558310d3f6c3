using System.Collections.Immutable;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>How rows of several shards become those of one query.</summary>
/// <param name="Columns">The number of columns that the query shows; those behind are keys of the order.</param>
/// <param name="Keys">The order; empty if the rows may come as they come.</param>
/// <param name="Offset">How many rows to leave out; <see langword="null"/> for none.</param>
/// <param name="Limit">How many rows to give then; <see langword="null"/> for all.</param>
/// <param name="ComparesDefaultTexts">Whether a key is text that is ordered by the database's own collation, which must be the order of its bytes.</param>
internal sealed record MergeOutline(int Columns, ImmutableArray<MergeKey> Keys, SqlExpression? Offset, SqlExpression? Limit, bool ComparesDefaultTexts);
