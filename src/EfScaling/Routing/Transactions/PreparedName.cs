using System.Globalization;

namespace EfScaling.Routing.Transactions;

/// <summary>The name under which a shard keeps its prepared part of a transaction over several shards.</summary>
/// <param name="Id">The transaction.</param>
/// <param name="Participant">The shard's place among its participants: two shards may be databases of one server, where names are unique.</param>
/// <param name="Decider">The shard that has the decision.</param>
/// <remarks>Written as <c>efscaling:1:{id}:{participant}:{decider}</c>, which PostgreSQL takes up to 199 bytes of. Whoever finds it knows whom to ask.</remarks>
internal readonly record struct PreparedName(Guid Id, int Participant, string Decider)
{
    /// <summary>What such names begin with, and no other.</summary>
    public const string Prefix = "efscaling:1:";

    /// <summary>Reads a name.</summary>
    /// <returns><see langword="null"/> if it is none.</returns>
    public static PreparedName? Parse(string text)
    {
        if (!text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return null;
        }

        var parts = text[Prefix.Length..].Split(':', 3);
        return parts.Length == 3
            && Guid.TryParseExact(parts[0], "N", out var id)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var participant)
                ? new PreparedName(id, participant, parts[2])
                : null;
    }

    /// <summary>Returns a statement about the transaction of this name, such as <c>COMMIT PREPARED</c>.</summary>
    public string Statement(string verb) => $"{verb} '{ToString().Replace("'", "''", StringComparison.Ordinal)}'";

    /// <inheritdoc />
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Id:N}:{Participant}:{Decider}");
}
