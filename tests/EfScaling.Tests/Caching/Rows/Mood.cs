namespace EfScaling.Tests.Caching.Rows;

/// <summary>An enumeration of the application.</summary>
public enum Mood : byte
{
    /// <summary>Low.</summary>
    Sad = 1,

    /// <summary>High.</summary>
    Happy = 7,
}
