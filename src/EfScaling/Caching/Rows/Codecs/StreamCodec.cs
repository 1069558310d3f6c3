using System.Data.Common;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes the bytes of streams.</summary>
internal sealed class StreamCodec() : ValueCodec<Stream>(CodecId.Stream)
{
    private const int ObjectSize = 120;

    /// <inheritdoc />
    public override bool CopiesOnRead => true;

    /// <inheritdoc />
    public override void Write(PayloadWriter writer, ReadOnlySpan<Stream> values)
    {
        foreach (var value in values)
        {
            writer.Block(BytesOf(value));
        }
    }

    /// <inheritdoc />
    public override void Read(ref PayloadReader reader, Span<Stream> values)
    {
        for (var i = 0; i < values.Length && !reader.IsDamaged; i++)
        {
            values[i] = Over(reader.Block().ToArray());
        }
    }

    /// <inheritdoc />
    public override Stream Copy(Stream value) => new MemoryStream(BytesOf(value), writable: false);

    /// <inheritdoc />
    public override int Measure(Stream value) => ObjectSize + BytesOf(value).Length;

    /// <inheritdoc />
    public override Stream Fetch(DbDataReader reader, int ordinal)
    {
        // Closed before EF opens its own: Npgsql allows one stream at a time.
        using var stream = reader.GetStream(ordinal);
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return Over(bytes.ToArray());
    }

    // Kept streams show their bytes to this codec; those given out hide them, so that nobody writes to them.
    private static MemoryStream Over(byte[] bytes) => new(bytes, 0, bytes.Length, writable: false, publiclyVisible: true);

    private static byte[] BytesOf(Stream value) => ((MemoryStream)value).GetBuffer();
}
