using System.Collections.Frozen;
using EfScaling.Caching.Rows.Codecs;
using NpgsqlTypes;

namespace EfScaling.Caching.Rows;

/// <summary>The types whose values can be kept. Immutable and thread-safe.</summary>
/// <remarks>
/// For each type also its arrays of one dimension, lists and ranges, with elements that may be null, and all enumerations. What is constructed follows from
/// the types that the query's model names, never from a payload.
/// </remarks>
internal sealed class RowCodecs
{
    /// <summary>The types that the provider maps without plugins.</summary>
    public static readonly RowCodecs Provided = new(BuiltInCodecs.All.Concat(NpgsqlCodecs.All).ToFrozenDictionary(c => c.ValueType));

    private readonly FrozenDictionary<Type, RowCodec> _codecs;

    private RowCodecs(FrozenDictionary<Type, RowCodec> codecs) => _codecs = codecs;

    /// <summary>Returns these types and one more.</summary>
    /// <param name="name">What the format is called, in all deployments that share entries. A changed format needs a new name.</param>
    /// <param name="codec">Writes and reads the values.</param>
    /// <exception cref="ArgumentException">The name is empty, or values of the type can be kept already.</exception>
    public RowCodecs With<T>(string name, ICacheCodec<T> codec)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(codec);
        if (Nullable.GetUnderlyingType(typeof(T)) is not null || Find(typeof(T)) is not null)
        {
            throw new ArgumentException($"A codec '{name}' of '{typeof(T)}' cannot be added: its values can be kept without one. Register the type that is not nullable.", nameof(codec));
        }

        return new RowCodecs(_codecs.Values.Append(new PluginCodec<T>(name, codec)).ToFrozenDictionary(c => c.ValueType));
    }

    /// <summary>Finds the codec of a column.</summary>
    /// <returns><see langword="null"/> if values of the type cannot be kept.</returns>
    public RowCodec? Find(Type type)
    {
        if (_codecs.TryGetValue(type, out var codec))
        {
            return codec;
        }

        if (type.IsEnum)
        {
            return Make(typeof(EnumCodec<,>), [type, type.GetEnumUnderlyingType()], Find(type.GetEnumUnderlyingType()));
        }

        if (type.IsSZArray)
        {
            return FindElement(type.GetElementType()!)?.OfArray();
        }

        if (!type.IsConstructedGenericType)
        {
            return null;
        }

        var definition = type.GetGenericTypeDefinition();
        if (definition == typeof(List<>))
        {
            return FindElement(type.GenericTypeArguments[0])?.OfList();
        }

        return definition == typeof(NpgsqlRange<>) && !IsCollection(type.GenericTypeArguments[0]) ? Find(type.GenericTypeArguments[0])?.OfRange() : null;
    }

    private static bool IsCollection(Type type) => type.IsArray || (type.IsConstructedGenericType && type.GetGenericTypeDefinition() == typeof(List<>));

    private static RowCodec? Make(Type definition, Type[] arguments, RowCodec? inner) =>
        inner is null ? null : (RowCodec)Activator.CreateInstance(definition.MakeGenericType(arguments), inner)!;

    // PostgreSQL has no arrays of arrays; bytes in an array are a value.
    private RowCodec? FindElement(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } value)
        {
            return Make(typeof(NullableCodec<>), [value], Find(value));
        }

        return IsCollection(type) && type != typeof(byte[]) && !IsRanges(type) ? null : Find(type);
    }

    private static bool IsRanges(Type type) =>
        (type.IsSZArray ? type.GetElementType() : type.GenericTypeArguments.FirstOrDefault()) is { IsConstructedGenericType: true } element
        && element.GetGenericTypeDefinition() == typeof(NpgsqlRange<>);
}
