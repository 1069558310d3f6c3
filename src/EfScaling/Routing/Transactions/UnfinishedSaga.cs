namespace EfScaling.Routing.Transactions;

/// <summary>A saga that was begun and has not ended, because its process has, or because it met a failure that passes.</summary>
/// <param name="Id">The saga.</param>
/// <param name="Data">What it was begun with.</param>
/// <param name="Step">How many of its steps are done, those that are undone not counted.</param>
/// <param name="IsUndoing">Whether a step has failed, so that those before it are to be undone.</param>
/// <param name="Failure">Why; <see langword="null"/> if none has.</param>
public sealed record UnfinishedSaga(Guid Id, string? Data, int Step, bool IsUndoing, string? Failure);
