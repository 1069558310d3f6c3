namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>A text in columns of the types that are easily taken for others.</summary>
public sealed class Word
{
    public int Id { get; set; }

    /// <summary>Gets or sets a text that the database pads with blanks, in a column whose type is given by its short name.</summary>
    public string? Padded { get; set; }

    /// <summary>Gets or sets a text that is ordered by a language, in a column whose type is given by its short name.</summary>
    public string? Limited { get; set; }

    /// <summary>Gets or sets a text that is equal to others in any case.</summary>
    public string? AnyCase { get; set; }

    /// <summary>Gets or sets a text that is ordered by a language, in a type of its own.</summary>
    public Spelling Spelling { get; set; } = new();

    public DateOnly Day { get; set; }

    public TimeSpan Span { get; set; }

    public double Share { get; set; }
}
