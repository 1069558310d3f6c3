namespace EfScaling.IntegrationTests.Caching;

/// <summary>An enumeration that is one in the database, too.</summary>
public enum MatrixMood
{
    /// <summary>Low.</summary>
    Sad,

    /// <summary>High.</summary>
    Happy,
}
