using System.Runtime.InteropServices;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes members of an enumeration as their numbers.</summary>
/// <typeparam name="T">The enumeration.</typeparam>
/// <typeparam name="TNumber">Its underlying type.</typeparam>
/// <remarks>The database holds labels. The members are part of the description: a deployment that numbers them anew reads none of the old numbers.</remarks>
internal sealed class EnumCodec<T, TNumber>(ValueCodec<TNumber> numbers) : ValueCodec<T>(CodecId.Enum)
    where T : struct, Enum
    where TNumber : unmanaged
{
    /// <inheritdoc />
    public override void Describe(PayloadWriter writer)
    {
        base.Describe(writer);
        numbers.Describe(writer);
        foreach (var name in Enum.GetNames<T>())
        {
            writer.Text(name);
            writer.Text(Enum.Parse<T>(name).ToString("D"));
        }
    }

    /// <inheritdoc />
    public override void Write(PayloadWriter writer, ReadOnlySpan<T> values) => numbers.Write(writer, MemoryMarshal.Cast<T, TNumber>(values));

    /// <inheritdoc />
    public override void Read(ref PayloadReader reader, Span<T> values) => numbers.Read(ref reader, MemoryMarshal.Cast<T, TNumber>(values));
}
