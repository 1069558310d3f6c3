namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes the elements of collections that may hold nulls, by the codec of the values.</summary>
/// <remarks>Whoever holds the elements writes which are null; this codec sees the others.</remarks>
internal sealed class NullableCodec<T>(ValueCodec<T> values) : ValueCodec<T?>(CodecId.Nullable)
    where T : struct
{
    /// <inheritdoc />
    public override int ValuesPerByte => values.ValuesPerByte;

    /// <inheritdoc />
    public override bool CopiesOnRead => values.CopiesOnRead;

    /// <inheritdoc />
    public override bool IsPicky => values.IsPicky;

    /// <inheritdoc />
    public override void Describe(PayloadWriter writer)
    {
        base.Describe(writer);
        values.Describe(writer);
    }

    /// <inheritdoc />
    public override void Write(PayloadWriter writer, ReadOnlySpan<T?> elements)
    {
        var present = new T[elements.Length];
        for (var i = 0; i < present.Length; i++)
        {
            present[i] = elements[i].GetValueOrDefault();
        }

        values.Write(writer, present);
    }

    /// <inheritdoc />
    public override void Read(ref PayloadReader reader, Span<T?> elements)
    {
        var present = new T[elements.Length];
        values.Read(ref reader, present);
        for (var i = 0; i < present.Length; i++)
        {
            elements[i] = present[i];
        }
    }

    /// <inheritdoc />
    public override T? Copy(T? value) => value is { } present ? values.Copy(present) : null;

    /// <inheritdoc />
    public override int Measure(T? value) => value is { } present ? values.Measure(present) : 0;

    /// <inheritdoc />
    public override bool CanKeep(T? value) => value is not { } present || values.CanKeep(present);
}
