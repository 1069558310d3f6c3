using EfScaling.Caching.Rows;
using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>A result that the process keeps.</summary>
/// <param name="Rows">The result.</param>
/// <param name="Stamp">The versions it was read under.</param>
/// <param name="ShownBy">A moment by which everything that the result shows was committed.</param>
/// <param name="ExpiresAt">When it is too old to be used.</param>
internal sealed record LocalResult(RowSet Rows, UInt128 Stamp, Moment ShownBy, Moment ExpiresAt);
