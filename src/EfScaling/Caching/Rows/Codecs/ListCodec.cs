using System.Runtime.InteropServices;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes lists.</summary>
internal sealed class ListCodec<T>(ValueCodec<T> elements) : CollectionCodec<List<T>, T>(CodecId.List, elements)
{
    /// <inheritdoc />
    protected override ReadOnlySpan<T> ElementsOf(List<T> value) => CollectionsMarshal.AsSpan(value);

    /// <inheritdoc />
    protected override List<T> Wrap(T[] elements) => [.. elements];
}
