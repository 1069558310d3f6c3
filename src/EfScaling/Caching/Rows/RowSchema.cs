using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using EfScaling.Caching.Rows.Codecs;

namespace EfScaling.Caching.Rows;

/// <summary>The columns of a query's result, each with the codec of its values. Immutable and thread-safe; made once a query.</summary>
internal sealed class RowSchema
{
    private readonly RowColumn[] _columns;
    private readonly RowCodec[] _codecs;

    private RowSchema(RowColumn[] columns, RowCodec[] codecs, bool isByName)
    {
        (_columns, _codecs, IsByName) = (columns, codecs, isByName);
        Fingerprint = FingerprintOf(columns, codecs, isByName);
    }

    /// <summary>Gets the number of columns.</summary>
    public int Count => _columns.Length;

    /// <summary>Gets whether the columns are found in the result by their names: EF does so for raw SQL, whose columns come in any order.</summary>
    public bool IsByName { get; }

    /// <summary>Gets what tells this schema apart from those with other types, formats or enumerations, in every process alike.</summary>
    public ulong Fingerprint { get; }

    /// <summary>Gets a column.</summary>
    public RowColumn this[int ordinal] => _columns[ordinal];

    /// <summary>Makes a schema, if the values of all columns can be kept.</summary>
    /// <param name="columns">The columns in the order in which EF reads them.</param>
    /// <param name="obstacle">Which column stands in the way; <see langword="null"/> if none does.</param>
    /// <param name="codecs">The types that can be kept; <see langword="null"/> means those of the provider itself.</param>
    /// <param name="isByName">Whether the columns are found by name: then all have one.</param>
    /// <returns><see langword="null"/> if there is an obstacle.</returns>
    public static RowSchema? TryCreate(
        IReadOnlyList<RowColumn> columns, [NotNullWhen(false)] out string? obstacle, RowCodecs? codecs = null, bool isByName = false)
    {
        var found = new RowCodec[columns.Count];
        for (var i = 0; i < columns.Count; i++)
        {
            if ((codecs ?? RowCodecs.Provided).Find(columns[i].ClrType) is not { } codec)
            {
                var name = columns[i].Name is { } text ? $" '{text}'" : string.Empty;
                obstacle = $"type '{columns[i].StoreType}' ({columns[i].ClrType}) of column {i}{name}";
                return null;
            }

            found[i] = codec;
        }

        obstacle = null;
        return new RowSchema([.. columns], found, isByName);
    }

    /// <summary>Starts to record the columns.</summary>
    public ColumnRecorder[] Record() => Array.ConvertAll(_codecs, c => c.Record());

    /// <summary>Finds each column in a result.</summary>
    /// <returns>Its ordinal there, or <see langword="null"/> if the result is not of this schema.</returns>
    public int[]? Locate(System.Data.Common.DbDataReader reader)
    {
        var fields = reader.FieldCount;
        var ordinals = new int[Count];
        for (var i = 0; i < ordinals.Length; i++)
        {
            ordinals[i] = IsByName ? Find(_columns[i].Name!) : i;
        }

        return (IsByName || fields == Count) && Array.IndexOf(ordinals, -1) < 0 ? ordinals : null;

        int Find(string name)
        {
            for (var i = 0; i < fields; i++)
            {
                if (string.Equals(reader.GetName(i), name, StringComparison.OrdinalIgnoreCase))
                {
                    return i;
                }
            }

            // EF takes the first column of a query for one scalar, whatever its name.
            return Count == 1 ? 0 : -1;
        }
    }

    /// <summary>Reads the columns of a payload.</summary>
    /// <returns><see langword="null"/> if it is damaged.</returns>
    public Column[]? Read(ref PayloadReader reader, int rows)
    {
        var columns = new Column[_codecs.Length];
        for (var i = 0; i < columns.Length; i++)
        {
            if (_codecs[i].Read(ref reader, rows) is not { } column)
            {
                return null;
            }

            columns[i] = column;
        }

        return columns;
    }

    private static ulong FingerprintOf(RowColumn[] columns, RowCodec[] codecs, bool isByName)
    {
        using var writer = new PayloadWriter();
        writer.Varint((uint)columns.Length);
        writer.Byte(isByName ? (byte)1 : (byte)0);
        for (var i = 0; i < columns.Length; i++)
        {
            codecs[i].Describe(writer);
            writer.Text(columns[i].StoreType);
            writer.Text(isByName ? columns[i].Name! : string.Empty);
        }

        return BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(writer.Written));
    }
}
