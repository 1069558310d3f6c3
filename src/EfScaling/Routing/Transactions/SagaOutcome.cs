namespace EfScaling.Routing.Transactions;

/// <summary>What became of a saga.</summary>
public enum SagaOutcome
{
    /// <summary>All its steps are done.</summary>
    Completed,

    /// <summary>A step failed, and those before it are undone.</summary>
    Undone,
}
