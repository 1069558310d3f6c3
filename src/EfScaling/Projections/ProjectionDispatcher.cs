using EfScaling.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EfScaling.Projections;

/// <summary>Keeps the read models of a context type current while the application runs. Every instance of the application may run one.</summary>
internal sealed class ProjectionDispatcher<TContext>(
    ContextProjections<TContext> projections, IServiceScopeFactory scopes, ILoggerFactory loggers, TimeProvider? clock = null) : BackgroundService
    where TContext : DbContext
{
    private static readonly TimeSpan _statusInterval = TimeSpan.FromSeconds(10);

    private readonly ILogger _logger = loggers.CreateLogger("EfScaling.Projections");
    private readonly TimeProvider _clock = clock ?? TimeProvider.System;

    /// <inheritdoc />
    // One loop for each: a store that hangs keeps back its own projection only.
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(projections.All.Select(p => RunAsync(p, stoppingToken)));

    private async Task RunAsync(Projection projection, CancellationToken stoppingToken)
    {
        // The host starts its services one after the other and waits for what they do first.
        await Task.Yield();
        var dispatch = new ProjectionDispatch(projection, OpenAsync, _logger);
        var failures = 0;
        var counted = long.MinValue;
        while (!stoppingToken.IsCancellationRequested)
        {
            var raised = projection.Signal.Raised;
            var wait = projection.Options.PollInterval;
            try
            {
                var worked = await dispatch.RunAsync(stoppingToken).ConfigureAwait(false);
                failures = 0;
                counted = await CountAsync(projection, counted, stoppingToken).ConfigureAwait(false);
                if (worked)
                {
                    continue;
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever happens in a round: changes wait, and the next round may succeed.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                failures++;
                raised = Task.Delay(Timeout.InfiniteTimeSpan, stoppingToken);
                wait = projection.Options.RetryDelay(failures);
                _logger.ProjectionPaused(exception, projection.Name, wait.TotalSeconds);
            }

            try
            {
                await ProjectionSignal.WaitAsync(raised, wait, _clock, stoppingToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task<long> CountAsync(Projection projection, long counted, CancellationToken cancellationToken)
    {
        if (!ProjectionMeter.CountsPending || (counted != long.MinValue && _clock.GetElapsedTime(counted) < _statusInterval))
        {
            return counted;
        }

        var lease = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (lease.ConfigureAwait(false))
        {
            await lease.Context.Database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            var status = await OutboxTable.StatusAsync(lease.Context, projection, cancellationToken).ConfigureAwait(false);
            ProjectionMeter.RecordPending(projection.Name, status.Pending, status.Rebuilding, status.Parked, status.Age);
        }

        return _clock.GetTimestamp();
    }

    private async Task<DispatchContext> OpenAsync(CancellationToken cancellationToken)
    {
        var scope = scopes.CreateAsyncScope();
        TContext? context = null;
        try
        {
            var services = scope.ServiceProvider;
            context = services.GetService<IDbContextFactory<TContext>>() is { } factory
                ? await factory.CreateDbContextAsync(cancellationToken).ConfigureAwait(false)
                : services.GetRequiredService<TContext>();
            if (((IInfrastructure<IServiceProvider>)context).Instance.GetService(typeof(OutboxSession)) is null)
            {
                throw new InvalidOperationException(
                    $"Contexts of type '{typeof(TContext).Name}' write nothing to the outbox, because they do not know their projections. "
                    + $"Register them with AddDbContext, AddDbContextFactory or AddPooledDbContextFactory, which apply what AddProjection adds to their options.");
            }

            projections.Check(context.Model);
            return new DispatchContext(context, services, scope);
        }
        catch
        {
            if (context is not null)
            {
                await context.DisposeAsync().ConfigureAwait(false);
            }

            await scope.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}
