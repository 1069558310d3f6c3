#pragma warning disable CA1720 // The properties are called by their types, which is all that there is to say about them.

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>A value of each type that queries compute with.</summary>
public abstract class Various
{
    public short? Short { get; set; }

    public int? Int { get; set; }

    public long? Long { get; set; }

    /// <summary>Gets or sets a number whose scale is its column's.</summary>
    public decimal? Money { get; set; }

    /// <summary>Gets or sets a number that has its own scale, which aggregates keep.</summary>
    public decimal? Plain { get; set; }

    public float? Single { get; set; }

    public double? Double { get; set; }

    public bool? Flag { get; set; }

    public Guid? Guid { get; set; }

    public DateTime? Utc { get; set; }

    public DateTime? Local { get; set; }

    public DateOnly? Day { get; set; }

    public TimeOnly? Time { get; set; }

    public TimeSpan? Span { get; set; }

    public string? Text { get; set; }

    /// <summary>Gets or sets a text that is ordered by its bytes.</summary>
    public string? Plainest { get; set; }

    /// <summary>Gets or sets a text of limited length.</summary>
    public string? Code { get; set; }

    /// <summary>Gets or sets a text that the database pads with blanks.</summary>
    public string? Fixed { get; set; }

    public Mood? Mood { get; set; }

    public byte[]? Bytes { get; set; }

    public int[]? Numbers { get; set; }
}
