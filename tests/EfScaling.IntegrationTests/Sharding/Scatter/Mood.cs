namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>A value that is stored as a number.</summary>
public enum Mood
{
    Sad,
    Fair,
    Glad,
}
