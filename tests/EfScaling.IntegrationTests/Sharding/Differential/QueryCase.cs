namespace EfScaling.IntegrationTests.Sharding.Differential;

/// <summary>A generated query.</summary>
/// <param name="Text">What it is made of, to print when it fails.</param>
/// <param name="IsOrdered">Whether its rows come in an order that it asks for.</param>
/// <param name="NamesItsKey">Whether it so plainly names one key that it must not be refused.</param>
/// <param name="RunAsync">Runs it.</param>
internal sealed record QueryCase(string Text, bool IsOrdered, bool NamesItsKey, Func<StrategiesContext, Task<object?>> RunAsync);
