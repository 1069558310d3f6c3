namespace EfScaling.Caching.Rows;

/// <summary>How much of a result is recorded at most.</summary>
/// <param name="MaxRows">Rows; a result with more is not kept.</param>
/// <param name="MaxBytes">Estimated bytes in memory; a result with more is not kept.</param>
internal readonly record struct RowLimits(int MaxRows, long MaxBytes);
