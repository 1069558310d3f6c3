using System.Runtime.InteropServices;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes values as they are in memory: types of the runtime whose every bit pattern is a value.</summary>
internal sealed class BitsCodec<T>(CodecId id) : ValueCodec<T>(id)
    where T : unmanaged
{
    /// <inheritdoc />
    public override void Write(PayloadWriter writer, ReadOnlySpan<T> values) => writer.Bytes(MemoryMarshal.AsBytes(values));

    /// <inheritdoc />
    public override void Read(ref PayloadReader reader, Span<T> values) => reader.CopyTo(MemoryMarshal.AsBytes(values));
}
