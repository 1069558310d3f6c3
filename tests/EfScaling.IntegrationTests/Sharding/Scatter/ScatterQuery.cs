namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>A generated query.</summary>
/// <param name="Shape">What it is made of, without values.</param>
/// <param name="IsOrdered">Whether its rows come in an order that it asks for.</param>
/// <param name="RunAsync">Runs it.</param>
internal sealed record ScatterQuery(string Shape, bool IsOrdered, Func<VarietyContext, Task<object?>> RunAsync);
