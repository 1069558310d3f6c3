namespace EfScaling.Routing.Scatter;

/// <summary>A step that collects an intermediate result.</summary>
/// <param name="Command">The command that each shard of its rows runs.</param>
/// <param name="Columns">How many columns its rows have.</param>
internal sealed record ScatterStep(RoutedCommand Command, int Columns);
