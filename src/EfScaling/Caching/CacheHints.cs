using System.Collections.Immutable;
using System.Globalization;

namespace EfScaling.Caching;

/// <summary>What <c>Cacheable</c>, <c>NotCacheable</c> and their companions say about a query.</summary>
/// <param name="Mode">Whether the result may be kept.</param>
/// <param name="TimeToLive">How long; <see langword="null"/> for the context's default.</param>
/// <param name="IsSliding">Whether each hit starts that time anew.</param>
/// <param name="IsExpensive">Whether one process at a time loads it.</param>
/// <param name="Tags">Names by which the application invalidates it.</param>
/// <param name="DependsOn">Tables, as the application names them, that the query reads without EF knowing.</param>
/// <param name="VaryBy">What else tells its results apart.</param>
/// <remarks>Hints travel as query tags, as <c>QueryHints</c> of the router do. Each distinct value is compiled as a query of its own.</remarks>
internal sealed record CacheHints(
    CacheMode Mode,
    TimeSpan? TimeToLive,
    bool IsSliding,
    bool IsExpensive,
    ImmutableArray<string> Tags,
    ImmutableArray<TableName> DependsOn,
    ImmutableArray<string> VaryBy)
{
    /// <summary>Gets how long ago a result must have been right at least to be used while another reader loads the new one; <see langword="null"/> for never.</summary>
    public TimeSpan? StaleWhileRefilling { get; init; }

    /// <summary>Gets how long ago a result must have been right at least to be used while no server can be asked; <see langword="null"/> for what the context says.</summary>
    public TimeSpan? WhenDown { get; init; }

    /// <summary>The query says nothing.</summary>
    public static readonly CacheHints None = new(CacheMode.Unsaid, null, IsSliding: false, IsExpensive: false, [], [], []);

    /// <summary>The tag of <c>NotCacheable</c>.</summary>
    public const string NotCacheableTag = Prefix + "Not";

    /// <summary>The tag of <c>AsExpensive</c>.</summary>
    public const string ExpensiveTag = Prefix + "Expensive";

    private const string Prefix = "EfScaling:Cache:";
    private const string TimePrefix = Prefix + "Time=";
    private const string SlidingPrefix = Prefix + "Sliding=";
    private const string TagPrefix = Prefix + "Tag=";
    private const string StalePrefix = Prefix + "Stale=";
    private const string DownPrefix = Prefix + "Down=";
    private const string TablePrefix = Prefix + "Table=";
    private const string VaryPrefix = Prefix + "Vary=";
    private const long UnsaidTicks = -1;

    // That of Cacheable() without a time, which most queries say at each execution.
    private static readonly string _usualTimeTag = FormattableString.Invariant($"{TimePrefix}{UnsaidTicks}");

    /// <summary>Returns the tag of <c>Cacheable</c>.</summary>
    public static string TimeTag(TimeSpan? timeToLive, bool isSliding) => timeToLive is null && !isSliding
        ? _usualTimeTag
        : (isSliding ? SlidingPrefix : TimePrefix) + (timeToLive?.Ticks ?? UnsaidTicks).ToString(CultureInfo.InvariantCulture);

    /// <summary>Returns the tag of <c>StaleWhileRefilling</c>.</summary>
    public static string StaleTag(TimeSpan maxAge) => StalePrefix + maxAge.Ticks.ToString(CultureInfo.InvariantCulture);

    /// <summary>Returns the tag of <c>ServeCachedWhenDown</c>.</summary>
    public static string DownTag(TimeSpan maxAge) => DownPrefix + maxAge.Ticks.ToString(CultureInfo.InvariantCulture);

    /// <summary>Returns the tag of <c>WithCacheTag</c>.</summary>
    public static string NameTag(string name) => TagPrefix + Uri.EscapeDataString(name);

    /// <summary>Returns the tag of <c>VaryBy</c>.</summary>
    public static string VaryTag(string value) => VaryPrefix + Uri.EscapeDataString(value);

    /// <summary>Returns the tag of <c>DependsOn</c>.</summary>
    public static string TableTag(TableName table) =>
        TablePrefix + (table.Schema is null ? string.Empty : Uri.EscapeDataString(table.Schema) + "/") + Uri.EscapeDataString(table.Name);

    /// <summary>Takes the hints out of a query's tags. <c>NotCacheable</c> wins, then the shorter time.</summary>
    public static CacheHints TakeFrom(ISet<string> tags)
    {
        if (tags.Count == 0)
        {
            return None;
        }

        var hints = None;
        foreach (var tag in tags.Where(t => t.StartsWith(Prefix, StringComparison.Ordinal)).ToList())
        {
            // A tag of the application that only looks like ours stays where it is.
            if (hints.With(tag) is { } more)
            {
                tags.Remove(tag);
                hints = more;
            }
        }

        return hints;
    }

    /// <summary>Writes the hints without spaces or line breaks.</summary>
    public string ToText() => string.Join(';', TagsOf());

    /// <summary>Reads what <see cref="ToText"/> has written.</summary>
    public static CacheHints FromText(string text) =>
        text.Length == 0 ? None : text.Split(';').Aggregate(None, (hints, tag) => hints.With(tag) ?? hints);

    private IEnumerable<string> TagsOf()
    {
        if (Mode == CacheMode.Cacheable)
        {
            yield return TimeTag(TimeToLive, IsSliding);
        }

        if (Mode == CacheMode.NotCacheable)
        {
            yield return NotCacheableTag;
        }

        if (IsExpensive)
        {
            yield return ExpensiveTag;
        }

        if (StaleWhileRefilling is { } maxAge)
        {
            yield return StaleTag(maxAge);
        }

        if (WhenDown is { } maxAgeWhenDown)
        {
            yield return DownTag(maxAgeWhenDown);
        }

        foreach (var tag in Tags.Select(NameTag).Concat(DependsOn.Select(TableTag)).Concat(VaryBy.Select(VaryTag)))
        {
            yield return tag;
        }
    }

    private CacheHints? With(string tag) => tag switch
    {
        NotCacheableTag => this with { Mode = CacheMode.NotCacheable },
        ExpensiveTag => this with { IsExpensive = true },
        _ when TicksOf(tag, TimePrefix) is { } ticks => Cacheable(ticks, isSliding: false),
        _ when TicksOf(tag, SlidingPrefix) is { } ticks => Cacheable(ticks, isSliding: true),
        _ when TicksOf(tag, StalePrefix) is { } ticks and not UnsaidTicks => this with { StaleWhileRefilling = Shorter(StaleWhileRefilling, TimeSpan.FromTicks(ticks)) },
        _ when TicksOf(tag, DownPrefix) is { } ticks and not UnsaidTicks => this with { WhenDown = Shorter(WhenDown, TimeSpan.FromTicks(ticks)) },
        _ when tag.StartsWith(TagPrefix, StringComparison.Ordinal) => this with { Tags = Add(Tags, Uri.UnescapeDataString(tag[TagPrefix.Length..])) },
        _ when tag.StartsWith(VaryPrefix, StringComparison.Ordinal) => this with { VaryBy = Add(VaryBy, Uri.UnescapeDataString(tag[VaryPrefix.Length..])) },
        _ when tag.StartsWith(TablePrefix, StringComparison.Ordinal) => this with { DependsOn = Add(DependsOn, TableOf(tag[TablePrefix.Length..])) },
        _ => null,
    };

    private CacheHints Cacheable(long ticks, bool isSliding)
    {
        TimeSpan? time = ticks == UnsaidTicks ? null : TimeSpan.FromTicks(ticks);
        return this with
        {
            Mode = Mode == CacheMode.NotCacheable ? Mode : CacheMode.Cacheable,
            TimeToLive = Shorter(TimeToLive, time),
            IsSliding = isSliding && (Mode != CacheMode.Cacheable || IsSliding),
        };
    }

    private static TimeSpan? Shorter(TimeSpan? said, TimeSpan? time) => said is null || time < said ? time : said;

    private static long? TicksOf(string tag, string prefix) =>
        tag.StartsWith(prefix, StringComparison.Ordinal)
        && long.TryParse(tag.AsSpan(prefix.Length), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var ticks)
        && ticks is UnsaidTicks or > 0
            ? ticks
            : null;

    private static TableName TableOf(string text) =>
        text.IndexOf('/', StringComparison.Ordinal) is >= 0 and var slash
            ? new TableName(Uri.UnescapeDataString(text[..slash]), Uri.UnescapeDataString(text[(slash + 1)..]))
            : new TableName(null, Uri.UnescapeDataString(text));

    private static ImmutableArray<T> Add<T>(ImmutableArray<T> items, T item) => items.Contains(item) ? items : items.Add(item);
}
