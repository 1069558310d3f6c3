using System.Data.Common;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.Routing.Transactions;

/// <summary>Work in steps, each a transaction of its own.</summary>
/// <typeparam name="TContext">The context's type.</typeparam>
/// <remarks>
/// A step and the note that it is done are committed together, so that each is done exactly once, whatever fails and however many processes go on with the saga. Not thread-safe, like the context.
/// </remarks>
public sealed class Saga<TContext>
    where TContext : DbContext
{
    private const string Running = "running";
    private const string Undoing = "undoing";

    private readonly TContext _context;
    private readonly string _name;
    private readonly string? _data;
    private readonly List<(Func<TContext, CancellationToken, Task> Run, Func<TContext, CancellationToken, Task>? Undo)> _steps = [];

    internal Saga(TContext context, string name, Guid id, string? data) => (_context, _name, Id, _data) = (context, name, id, data);

    /// <summary>Gets the saga's id.</summary>
    public Guid Id { get; }

    /// <summary>Gets why a step failed; <see langword="null"/> if none has.</summary>
    public string? Failure { get; private set; }

    /// <summary>Adds a step.</summary>
    /// <param name="run">
    /// Does it on the context, whose changes are saved behind it, in one transaction. What it does beside the context may be done more often, and must stand that. It may be called again after a failure.
    /// </param>
    /// <param name="undo">Makes up for it, in a transaction too, if a later step fails; <see langword="null"/> if there is nothing to make up for. It must succeed at last.</param>
    /// <returns>The same saga.</returns>
    public Saga<TContext> Step(Func<TContext, CancellationToken, Task> run, Func<TContext, CancellationToken, Task>? undo = null)
    {
        ArgumentNullException.ThrowIfNull(run);
        _steps.Add((run, undo));
        return this;
    }

    /// <summary>Runs what is left of the saga.</summary>
    /// <param name="cancellationToken">Ends the work where it stands; it can be gone on with later.</param>
    /// <returns>Whether it is completed, or undone because a step failed: then <see cref="Failure"/> says why.</returns>
    /// <remarks>
    /// A step fails by any exception but those that pass: a shard that does not answer, a deadlock, an outcome that nobody knows yet. Those come to the caller, as do all failures to undo, and the saga
    /// stays unfinished: run it again later, here or in another process.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The id is that of another kind of saga, or the saga has more steps done than it has here.</exception>
    public async Task<SagaOutcome> RunAsync(CancellationToken cancellationToken = default)
    {
        await OnConnectionAsync(c => SagaTable.BeginAsync(c, Id, _name, _data, cancellationToken), cancellationToken).ConfigureAwait(false);
        while (true)
        {
            var (step, state) = await ReadAsync(cancellationToken).ConfigureAwait(false);
            switch (state)
            {
                case "completed":
                    return SagaOutcome.Completed;
                case "undone":
                    return SagaOutcome.Undone;
                case Running when step == _steps.Count:
                    await MoveAsync((step, Running), (step, "completed"), failure: null, cancellationToken).ConfigureAwait(false);
                    break;
                case Running:
                    await RunAsync(step, cancellationToken).ConfigureAwait(false);
                    break;
                case Undoing when step == 0:
                    await MoveAsync((step, Undoing), (step, "undone"), failure: null, cancellationToken).ConfigureAwait(false);
                    break;
                default:
                    await DoAsync(_steps[step - 1].Undo, (step, Undoing), (step - 1, Undoing), cancellationToken).ConfigureAwait(false);
                    break;
            }
        }
    }

    private async Task RunAsync(int step, CancellationToken cancellationToken)
    {
        try
        {
            await DoAsync(_steps[step].Run, (step, Running), (step + 1, Running), cancellationToken).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // Whatever keeps the application from doing a step is a failure of the step.
        catch (Exception failure) when (!Passes(failure) && !cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            await MoveAsync((step, Running), (step, Undoing), failure.Message, cancellationToken).ConfigureAwait(false);
        }
    }

    // The row of the saga first: another process that does the same step waits there, and then finds it done.
    private Task DoAsync(Func<TContext, CancellationToken, Task>? work, (int Step, string State) from, (int Step, string State) to, CancellationToken cancellationToken) =>
        _context.Database.CreateExecutionStrategy().ExecuteAsync(
            async token =>
            {
                _context.ChangeTracker.Clear();
                var transaction = await _context.Database.BeginTransactionAsync(token).ConfigureAwait(false);
                await using (transaction.ConfigureAwait(false))
                {
                    if (await SagaTable.MoveAsync((NpgsqlConnection)_context.Database.GetDbConnection(), Id, from, to, failure: null, token).ConfigureAwait(false))
                    {
                        if (work is not null)
                        {
                            await work(_context, token).ConfigureAwait(false);
                            await _context.SaveChangesAsync(token).ConfigureAwait(false);
                        }

                        await transaction.CommitAsync(token).ConfigureAwait(false);
                    }
                }
            },
            cancellationToken);

    private Task MoveAsync((int Step, string State) from, (int Step, string State) to, string? failure, CancellationToken cancellationToken) =>
        OnConnectionAsync(c => SagaTable.MoveAsync(c, Id, from, to, failure, cancellationToken), cancellationToken);

    private async Task<(int Step, string State)> ReadAsync(CancellationToken cancellationToken)
    {
        (string Name, int Step, string State, string? Failure) found = (_name, 0, Running, null);
        await OnConnectionAsync(async c => found = await SagaTable.ReadAsync(c, Id, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        if (found.Name != _name || found.Step > _steps.Count)
        {
            throw new InvalidOperationException(
                $"The saga '{Id}' of the kind '{_name}' was to be gone on with, but it is of the kind '{found.Name}' and has {found.Step} steps done, and there are {_steps.Count} here. Give it the steps that it was begun with, or another id.");
        }

        Failure = found.Failure;
        return (found.Step, found.State);
    }

    private Task OnConnectionAsync(Func<NpgsqlConnection, Task> work, CancellationToken cancellationToken) => _context.Database.CreateExecutionStrategy().ExecuteAsync(
        async token =>
        {
            await _context.Database.OpenConnectionAsync(token).ConfigureAwait(false);
            try
            {
                await work((NpgsqlConnection)_context.Database.GetDbConnection()).ConfigureAwait(false);
            }
            finally
            {
                await _context.Database.CloseConnectionAsync().ConfigureAwait(false);
            }
        },
        cancellationToken);

    private static bool Passes(Exception failure)
    {
        for (Exception? cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause is PartialCommitException or ShardMapChangedException or DbException { IsTransient: true } or OperationCanceledException or TimeoutException)
            {
                return true;
            }
        }

        return false;
    }
}
