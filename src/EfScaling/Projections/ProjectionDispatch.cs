using System.Data;
using EfScaling.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace EfScaling.Projections;

/// <summary>Applies what waits in the outbox for one projection, a batch a time.</summary>
/// <remarks>Many instances, in one process or many, may run for one projection. One instance runs one round at a time.</remarks>
internal sealed class ProjectionDispatch(Projection projection, Func<CancellationToken, Task<DispatchContext>> open, ILogger logger)
{
    /// <summary>Applies one batch. A key that fails does not keep the others from being applied.</summary>
    /// <returns>Whether there was something to do, so that there may be more.</returns>
    /// <exception cref="Exception">The database or the store of the views failed; the keys wait.</exception>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        var (claim, failure) = await TryApplyAsync(
            (context, token) => OutboxQueue.ClaimAsync(context, projection, token), cancellationToken).ConfigureAwait(false);
        if (failure is null)
        {
            return claim.Keys.Count > 0;
        }

        if (claim.Keys.Count == 1)
        {
            await FailAsync(claim.Keys[0], failure, cancellationToken).ConfigureAwait(false);
            return true;
        }

        // One of the keys has failed all of them. Each by itself tells which.
        foreach (var key in claim.Keys)
        {
            var (single, fault) = await TryApplyAsync(
                (context, token) => OutboxQueue.ClaimAsync(context, projection.Name, key, token), cancellationToken).ConfigureAwait(false);
            if (fault is not null)
            {
                await FailAsync(single.Keys[0], fault, cancellationToken).ConfigureAwait(false);
            }
        }

        return true;
    }

    // The exception is returned when keys are to blame or may be, and thrown when none had been taken yet.
    private async Task<(OutboxClaim Claim, Exception? Failure)> TryApplyAsync(
        Func<DbContext, CancellationToken, Task<OutboxClaim>> take, CancellationToken cancellationToken)
    {
        var claim = OutboxClaim.Nothing;
        try
        {
            var lease = await open(cancellationToken).ConfigureAwait(false);
            await using (lease.ConfigureAwait(false))
            {
                var context = lease.Context;
                context.ChangeTracker.QueryTrackingBehavior = QueryTrackingBehavior.NoTracking;
                var ages = await context.Database.CreateExecutionStrategy().ExecuteAsync(
                    async token =>
                    {
                        context.ChangeTracker.Clear();

                        // The level is part of the protocol: each statement must see what was committed before the locks were had.
                        var transaction = await context.Database.BeginTransactionAsync(IsolationLevel.ReadCommitted, token).ConfigureAwait(false);
                        await using (transaction.ConfigureAwait(false))
                        {
                            claim = OutboxClaim.Nothing;
                            claim = await take(context, token).ConfigureAwait(false);
                            return claim.Keys.Count == 0 ? [] : await ApplyAsync(lease, claim, token).ConfigureAwait(false);
                        }
                    },
                    cancellationToken).ConfigureAwait(false);
                ProjectionMeter.CountApplied(projection.Name, claim.Keys.Count(k => k.Source == ProjectionSource.Direct), ages);
                return (claim, null);
            }
        }
        catch (Exception exception) when (claim.Keys.Count > 0 && !cancellationToken.IsCancellationRequested)
        {
            return (claim, exception);
        }
    }

    private async Task<IReadOnlyList<TimeSpan>> ApplyAsync(DispatchContext lease, OutboxClaim claim, CancellationToken cancellationToken)
    {
        var context = lease.Context;
        foreach (var change in claim.Keys.Where(k => k.Source.Length > 0))
        {
            var source = projection.Sources.First(s => s.Name == change.Source);
            var affected = await source.AffectedAsync(context, change.Key, cancellationToken).ConfigureAwait(false);
            await OutboxQueue.InsertAffectedAsync(context, projection.Name, change, affected, cancellationToken).ConfigureAwait(false);
        }

        string[] keys = [.. claim.Keys.Where(k => k.Source.Length == 0).Select(k => k.Key)];
        if (keys.Length > 0)
        {
            await projection.ApplyAsync(context, lease.Services, keys, claim.Version, cancellationToken).ConfigureAwait(false);
        }

        var ages = await OutboxQueue.RemoveAsync(context, claim.Ids, cancellationToken).ConfigureAwait(false);
        await context.Database.CurrentTransaction!.CommitAsync(cancellationToken).ConfigureAwait(false);
        return ages;
    }

    private async Task FailAsync(ClaimedKey key, Exception exception, CancellationToken cancellationToken)
    {
        var isOutage = ProjectionFault.IsOutage(exception);
        var attempts = isOutage ? key.Attempts : key.Attempts + 1;
        var isParked = attempts >= projection.Options.MaxAttempts && !isOutage;
        var delay = isOutage ? projection.Options.OutageDelay(key.Age) : projection.Options.RetryDelay(attempts);

        // Writing it down asks the database whether it is there: one that does not answer ends this here, and nothing is counted against the key.
        var lease = await open(cancellationToken).ConfigureAwait(false);
        await using (lease.ConfigureAwait(false))
        {
            await lease.Context.Database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await OutboxQueue.FailAsync(
                lease.Context, projection.Name, key, attempts, delay, isParked, ProjectionFault.Describe(exception), projection.IsExternal, cancellationToken).ConfigureAwait(false);
        }

        if (isParked)
        {
            ProjectionMeter.CountParked(projection.Name);
            logger.ProjectionParked(exception, projection.Name, key.Ids[0], attempts);
        }
        else
        {
            ProjectionMeter.CountFailed(projection.Name, isOutage);
            logger.ProjectionFailed(exception, projection.Name, key.Ids[0], attempts, delay.TotalSeconds);
        }

        // What does not blame the key would fail the others in the same way, each after a time-out of its own.
        if (isOutage)
        {
            throw new ProjectionOutageException(projection.Name, exception);
        }
    }
}
