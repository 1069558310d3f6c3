using System.Runtime.CompilerServices;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes collections by the codec of their elements.</summary>
internal abstract class CollectionCodec<TCollection, T>(CodecId id, ValueCodec<T> elements) : ValueCodec<TCollection>(id)
    where TCollection : class
{
    private const int ObjectSize = 48;

    /// <inheritdoc />
    public sealed override bool CopiesOnRead => true;

    /// <inheritdoc />
    public sealed override bool IsPicky => elements.IsPicky;

    /// <summary>Gets the codec of the elements.</summary>
    protected ValueCodec<T> Elements => elements;

    /// <inheritdoc />
    public sealed override void Describe(PayloadWriter writer)
    {
        base.Describe(writer);
        elements.Describe(writer);
    }

    /// <inheritdoc />
    public sealed override void Write(PayloadWriter writer, ReadOnlySpan<TCollection> values)
    {
        foreach (var value in values)
        {
            Sequence.Write(writer, elements, ElementsOf(value));
        }
    }

    /// <inheritdoc />
    public sealed override void Read(ref PayloadReader reader, Span<TCollection> values)
    {
        for (var i = 0; i < values.Length && !reader.IsDamaged; i++)
        {
            values[i] = Wrap(Sequence.Read(ref reader, elements));
        }
    }

    /// <inheritdoc />
    public sealed override int Measure(TCollection value)
    {
        var span = ElementsOf(value);
        var size = ObjectSize + (Unsafe.SizeOf<T>() * span.Length);
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            foreach (var element in span)
            {
                size += element is null ? 0 : elements.Measure(element);
            }
        }

        return size;
    }

    /// <inheritdoc />
    public sealed override bool CanKeep(TCollection value)
    {
        foreach (var element in ElementsOf(value))
        {
            if (element is not null && !elements.CanKeep(element))
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc />
    public sealed override TCollection Copy(TCollection value)
    {
        var copy = ElementsOf(value).ToArray();
        if (elements.CopiesOnRead)
        {
            foreach (ref var element in copy.AsSpan())
            {
                element = element is null ? element : elements.Copy(element);
            }
        }

        return Wrap(copy);
    }

    /// <summary>Gets the elements of a collection.</summary>
    protected abstract ReadOnlySpan<T> ElementsOf(TCollection value);

    /// <summary>Makes a collection of elements that nobody else holds.</summary>
    protected abstract TCollection Wrap(T[] elements);
}
