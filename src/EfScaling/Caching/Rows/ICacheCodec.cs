using System.Buffers;

namespace EfScaling.Caching.Rows;

/// <summary>Writes and reads the values of one type that a plugin of the provider maps, so that queries that return it can be cached.</summary>
/// <typeparam name="T">The type that EF reads from the data reader.</typeparam>
/// <remarks>Both members are called by many threads at once. Bytes that one deployment wrote are read by the next: a changed format needs a new name.</remarks>
public interface ICacheCodec<T>
{
    /// <summary>Writes a value so that <see cref="Read"/> returns an equal one.</summary>
    /// <param name="writer">Takes the bytes.</param>
    /// <param name="value">The value, never <see langword="null"/>.</param>
    void Write(IBufferWriter<byte> writer, T value);

    /// <summary>Makes the value from its bytes.</summary>
    /// <param name="bytes">What <see cref="Write"/> wrote, or damaged bytes.</param>
    /// <returns>A value that nobody else holds, unless values of the type never change.</returns>
    /// <remarks>May throw anything on damaged bytes: the entry is then not used.</remarks>
    T Read(ReadOnlySpan<byte> bytes);
}
