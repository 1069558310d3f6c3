using System.Runtime.CompilerServices;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes values by a codec of the application: the number of bytes, then the bytes.</summary>
/// <param name="name">What the application calls the format.</param>
/// <param name="codec">The application's codec.</param>
internal sealed class PluginCodec<T>(string name, ICacheCodec<T> codec) : ValueCodec<T>(CodecId.Plugin)
{
    // Nothing tells whether objects of a foreign class change. Values without references cannot be changed for anybody else.
    private static readonly bool _copies = RuntimeHelpers.IsReferenceOrContainsReferences<T>();

    /// <inheritdoc />
    public override bool CopiesOnRead => _copies;

    /// <inheritdoc />
    public override void Describe(PayloadWriter writer)
    {
        base.Describe(writer);
        writer.Text(name);
    }

    /// <inheritdoc />
    public override void Write(PayloadWriter writer, ReadOnlySpan<T> values)
    {
        using var bytes = new PayloadWriter();
        foreach (var value in values)
        {
            bytes.Length = 0;
            codec.Write(bytes, value);
            writer.Block(bytes.Written);
        }
    }

    /// <inheritdoc />
    public override void Read(ref PayloadReader reader, Span<T> values)
    {
        for (var i = 0; i < values.Length && !reader.IsDamaged; i++)
        {
            var bytes = reader.Block();
            if (!reader.IsDamaged)
            {
                values[i] = codec.Read(bytes) ?? throw new InvalidOperationException($"The codec '{name}' read null; return a value or throw.");
            }
        }
    }

    /// <inheritdoc />
    public override T Copy(T value)
    {
        using var bytes = new PayloadWriter();
        codec.Write(bytes, value);
        return codec.Read(bytes.Written);
    }

    /// <inheritdoc />
    public override int Measure(T value)
    {
        if (!_copies)
        {
            return 0;
        }

        using var bytes = new PayloadWriter();
        codec.Write(bytes, value);
        return 48 + (2 * bytes.Length);
    }
}
