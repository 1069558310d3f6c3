namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes arrays of one dimension.</summary>
internal sealed class ArrayCodec<T>(ValueCodec<T> elements) : CollectionCodec<T[], T>(CodecId.Array, elements)
{
    /// <inheritdoc />
    protected override ReadOnlySpan<T> ElementsOf(T[] value) => value;

    /// <inheritdoc />
    protected override T[] Wrap(T[] elements) => elements;
}
