namespace EfScaling.Sample.Report;

/// <summary>One thing that must be true of the run.</summary>
/// <param name="Name">What.</param>
/// <param name="Holds">Whether it is.</param>
/// <param name="Evidence">The numbers that say so.</param>
internal sealed record Check(string Name, bool Holds, string Evidence);
