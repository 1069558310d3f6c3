namespace EfScaling.Sample.Load;

/// <summary>What a load measured, and what watched it.</summary>
/// <param name="Numbers">Its numbers, without those of the warm-up.</param>
/// <param name="Checker">What watched it, warm-up included.</param>
internal sealed record WatchedLoad(Measurements Numbers, ConsistencyChecker Checker);
