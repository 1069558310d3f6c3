namespace EfScaling.Routing.Scatter;

/// <summary>A query over several shards would take more than its budget allows.</summary>
/// <param name="message">What it takes, what is allowed, and the call that mends it.</param>
/// <remarks>Nothing was written. The shards have stopped.</remarks>
public sealed class ScatterBudgetExceededException(string message) : InvalidOperationException(message);
