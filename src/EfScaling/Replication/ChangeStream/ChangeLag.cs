namespace EfScaling.Replication.ChangeStream;

/// <summary>How far the consumer of changes is behind.</summary>
/// <param name="Bytes">Write-ahead log between what was handed on and its end.</param>
/// <param name="Time">Upper bound on the age of the oldest commit that is not handed on; zero when everything is.</param>
/// <param name="RetainedBytes">Write-ahead log that the server keeps for the slot.</param>
internal readonly record struct ChangeLag(long Bytes, TimeSpan Time, long RetainedBytes);
