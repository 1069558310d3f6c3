namespace EfScaling.Caching.Rows;

/// <summary>What judges a stored result without decoding it.</summary>
/// <param name="Stamp">Digest of the versions that were read before the result.</param>
/// <param name="CreatedUnixMilliseconds">When the result was recorded. Bounds ages only: no decision about validity rests on a clock.</param>
/// <param name="TimeToLiveMilliseconds">How long the entry lives at most. Not negative.</param>
internal readonly record struct EntryHeader(UInt128 Stamp, long CreatedUnixMilliseconds, long TimeToLiveMilliseconds);
