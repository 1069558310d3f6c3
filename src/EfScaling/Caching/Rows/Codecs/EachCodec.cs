namespace EfScaling.Caching.Rows.Codecs;

/// <summary>A codec that writes one value after the other.</summary>
/// <typeparam name="T">The type of the values.</typeparam>
/// <param name="id">What the format is called.</param>
/// <param name="write">Writes a value: one byte or more.</param>
/// <param name="read">Reads a value; may damage the reader, or throw if the bytes make no sense.</param>
/// <param name="copy">Makes a copy; <see langword="null"/> if values never change.</param>
/// <param name="measure">Gets the memory of a value beside its place in an array; <see langword="null"/> means none.</param>
/// <param name="canKeep">Gets whether a value survives; <see langword="null"/> means that all do.</param>
internal sealed class EachCodec<T>(
    CodecId id, Action<PayloadWriter, T> write, EachCodec<T>.Reading read, Func<T, T>? copy = null, Func<T, int>? measure = null, Func<T, bool>? canKeep = null)
    : ValueCodec<T>(id)
{
    /// <summary>Reads one value from a payload.</summary>
    internal delegate T Reading(ref PayloadReader reader);

    /// <inheritdoc />
    public override bool CopiesOnRead => copy is not null;

    /// <inheritdoc />
    public override bool IsPicky => canKeep is not null;

    /// <inheritdoc />
    public override void Write(PayloadWriter writer, ReadOnlySpan<T> values)
    {
        foreach (var value in values)
        {
            write(writer, value);
        }
    }

    /// <inheritdoc />
    public override void Read(ref PayloadReader reader, Span<T> values)
    {
        for (var i = 0; i < values.Length && !reader.IsDamaged; i++)
        {
            values[i] = read(ref reader);
        }
    }

    /// <inheritdoc />
    public override T Copy(T value) => copy is null ? value : copy(value);

    /// <inheritdoc />
    public override int Measure(T value) => measure is null ? 0 : measure(value);

    /// <inheritdoc />
    public override bool CanKeep(T value) => canKeep is null || canKeep(value);
}
