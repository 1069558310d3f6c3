namespace EfScaling.Testing.Network;

/// <summary>Bytes on their way, and when they may arrive. No bytes mean the end of the stream.</summary>
internal readonly record struct DelayedChunk(ReadOnlyMemory<byte> Bytes, Deadline Due);
