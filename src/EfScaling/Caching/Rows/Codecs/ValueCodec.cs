using System.Data.Common;
using System.Runtime.CompilerServices;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>A codec of values of a type that is known when it is compiled.</summary>
/// <typeparam name="T">The type of the values.</typeparam>
/// <param name="id">What the format is called.</param>
internal abstract class ValueCodec<T>(CodecId id) : RowCodec
{
    /// <inheritdoc />
    public sealed override Type ValueType => typeof(T);

    /// <summary>Gets how many values one byte holds at most, so that a damaged payload cannot ask for more memory than its own size warrants.</summary>
    public virtual int ValuesPerByte => 1;

    /// <summary>Gets whether a value can be changed by whom it is given to, so that each must get their own.</summary>
    public virtual bool CopiesOnRead => false;

    /// <summary>Writes values, none of which is null.</summary>
    public abstract void Write(PayloadWriter writer, ReadOnlySpan<T> values);

    /// <summary>Reads as many values as the target holds. The reader is damaged if they make no sense.</summary>
    public abstract void Read(ref PayloadReader reader, Span<T> values);

    /// <summary>Makes a value that nobody else holds.</summary>
    public virtual T Copy(T value) => value;

    /// <summary>Gets the memory that a value takes beside its place in an array.</summary>
    public virtual int Measure(T value) => 0;

    /// <summary>Gets whether a value survives writing and reading, here and in another process. Asked only if <see cref="IsPicky"/>.</summary>
    public virtual bool CanKeep(T value) => true;

    /// <summary>Gets whether <see cref="CanKeep"/> may refuse.</summary>
    public virtual bool IsPicky => false;

    /// <summary>Reads a value that is not null by the method that EF calls for the type.</summary>
    public virtual T Fetch(DbDataReader reader, int ordinal) => FetchTyped(reader, ordinal);

    /// <inheritdoc />
    public override void Describe(PayloadWriter writer) => writer.Byte((byte)id);

    /// <inheritdoc />
    public sealed override ColumnRecorder Record() => new TypedColumnRecorder<T>(this);

    /// <inheritdoc />
    public sealed override Column? Read(ref PayloadReader reader, int rows) => TypedColumn<T>.Read(ref reader, this, rows);

    /// <inheritdoc />
    public sealed override RowCodec OfArray() => new ArrayCodec<T>(this);

    /// <inheritdoc />
    public sealed override RowCodec OfList() => new ListCodec<T>(this);

    /// <inheritdoc />
    public sealed override RowCodec OfRange() => new RangeCodec<T>(this);

    // The comparisons of types are decided when the code is compiled for a T: no boxing, and none of GetFieldValue's generic virtual dispatch.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T FetchTyped(DbDataReader reader, int ordinal)
    {
        if (typeof(T) == typeof(int))
        {
            return (T)(object)reader.GetInt32(ordinal);
        }

        if (typeof(T) == typeof(long))
        {
            return (T)(object)reader.GetInt64(ordinal);
        }

        if (typeof(T) == typeof(short))
        {
            return (T)(object)reader.GetInt16(ordinal);
        }

        if (typeof(T) == typeof(byte))
        {
            return (T)(object)reader.GetByte(ordinal);
        }

        if (typeof(T) == typeof(bool))
        {
            return (T)(object)reader.GetBoolean(ordinal);
        }

        if (typeof(T) == typeof(char))
        {
            return (T)(object)reader.GetChar(ordinal);
        }

        if (typeof(T) == typeof(float))
        {
            return (T)(object)reader.GetFloat(ordinal);
        }

        if (typeof(T) == typeof(double))
        {
            return (T)(object)reader.GetDouble(ordinal);
        }

        if (typeof(T) == typeof(decimal))
        {
            return (T)(object)reader.GetDecimal(ordinal);
        }

        if (typeof(T) == typeof(DateTime))
        {
            return (T)(object)reader.GetDateTime(ordinal);
        }

        if (typeof(T) == typeof(Guid))
        {
            return (T)(object)reader.GetGuid(ordinal);
        }

        return reader.GetFieldValue<T>(ordinal);
    }
}
