namespace EfScaling.Tests.Caching.Redis;

/// <summary>A connection that delivers at most so many bytes at a time, the first time exactly so many.</summary>
internal sealed class SplitStream(byte[] bytes, int most) : MemoryStream(bytes)
{
    public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, most));
}
