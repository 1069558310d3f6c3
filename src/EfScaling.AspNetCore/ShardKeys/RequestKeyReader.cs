using EfScaling.Sharding;
using Microsoft.AspNetCore.Http;

namespace EfScaling.AspNetCore.ShardKeys;

/// <summary>Reads the shard key that a request brings.</summary>
/// <param name="options">Where it is brought.</param>
/// <param name="types">The types of the key's columns.</param>
/// <param name="contextName">The context that it is for, in messages.</param>
/// <remarks>Thread-safe.</remarks>
internal sealed class RequestKeyReader(RequestKeyOptions options, IReadOnlyList<ShardKeyType> types, string contextName)
{
    /// <summary>Reads the key.</summary>
    /// <returns><see langword="null"/> if the request brings none and may have a context that spans all shards.</returns>
    /// <exception cref="RequestKeyException">It brings none, or one that cannot be used.</exception>
    public ShardKey? Read(HttpContext context)
    {
        ShardKey? found = null;
        foreach (var source in options.Sources)
        {
            if (KeyOf(source, context) is not { } key)
            {
                continue;
            }

            if (found is not null && found != key)
            {
                throw Refusal(RequestKeyRefusal.Contradictory, $"its {Places()} differ");
            }

            found = key;
        }

        return found is null && !options.SpansWithoutKey ? throw Refusal(RequestKeyRefusal.Missing, $"it brings no {Places()}") : found;
    }

    /// <summary>Returns the refusal of a key that no shard has.</summary>
    public RequestKeyException Unplaced(ShardKeyException inner) => Refusal(RequestKeyRefusal.Unplaced, $"no shard has the key of its {Places()}", inner);

    private ShardKey? KeyOf(RequestKeySource source, HttpContext context)
    {
        if (source.ReadKey is { } read)
        {
            return read(context);
        }

        var columns = source.Read!(context);
        var texts = new string[columns.Length];
        var missing = 0;
        for (var i = 0; i < columns.Length; i++)
        {
            string[] values = [.. columns[i].Where(v => !string.IsNullOrWhiteSpace(v)).OfType<string>().Distinct(StringComparer.Ordinal)];
            if (values.Length > 1)
            {
                throw Refusal(RequestKeyRefusal.Contradictory, $"it brings several values of the {source.Name}");
            }

            missing += values.Length == 0 ? 1 : 0;
            texts[i] = values.FirstOrDefault(string.Empty);
        }

        return missing == columns.Length ? null
            : missing > 0 ? throw Refusal(RequestKeyRefusal.Missing, $"it brings not all of the {source.Name}")
            : Parse(texts, source);
    }

    private ShardKey Parse(string[] texts, RequestKeySource source)
    {
        if (texts.Length > types.Count)
        {
            throw new InvalidOperationException(
                $"The shard key of '{contextName}' has {types.Count} column(s), and {texts.Length} names were given for it: {source.Name}. Give AddShardedDbContext a name for each column.");
        }

        var columns = new ShardKey[texts.Length];
        for (var i = 0; i < texts.Length; i++)
        {
            if (!ShardKey.TryParse(texts[i], types[i], out columns[i]))
            {
                throw Refusal(RequestKeyRefusal.Malformed, $"its {source.Name} is not of type {types[i]}");
            }
        }

        return columns is [var only] ? only : ShardKey.Composite(columns);
    }

    private string Places() => string.Join(" or ", options.Sources.Select(s => s.Name));

    private RequestKeyException Refusal(RequestKeyRefusal reason, string what, Exception? inner = null) =>
        new(reason, $"The request cannot be given to a shard: {what}.", options.RefusalStatus, inner);
}
