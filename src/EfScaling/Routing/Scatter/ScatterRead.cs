using System.Globalization;
using System.Runtime.ExceptionServices;
using EfScaling.Replication;
using EfScaling.Routing.Fallback;
using EfScaling.Routing.Shards;
using EfScaling.Routing.Transactions;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Routing.Scatter;

/// <summary>One run of a query over several shards: collects what its steps need, and gives the rows of the last.</summary>
/// <param name="home">The router of the context's own connection.</param>
/// <param name="shardPlan">What the SQL of the whole query says about shards.</param>
/// <param name="plans">How it is answered.</param>
/// <param name="command">How it is run.</param>
/// <remarks>Shards work at the same time, each on its own connection. When one fails the others are stopped. Not thread-safe, like the context.</remarks>
internal sealed class ScatterRead(ReadRouter home, ShardPlan shardPlan, ScatterPlans plans, RelationalCommandParameterObject command)
{
    private readonly ScatterShards _shards = new(home.Shards!, shardPlan, command);
    private readonly List<NpgsqlParameter> _inputs = [];
    private readonly ScatterBudget _budget = home.Shards!.Database.Options.ScatterBudget;
    private readonly long _startedAt = home.Shards.Clock.GetTimestamp();
    private readonly SortedSet<string> _asked = new(StringComparer.Ordinal);
    private ScatterRefusal? _refusal;
    private long _rows;
    private long _bytes;
    private RoutingDecision? _oldest;

    private ContextShards Shards => home.Shards!;

    /// <summary>Runs the query.</summary>
    /// <exception cref="CrossShardQueryNotSupportedException">It cannot be answered from several shards.</exception>
    /// <exception cref="ScatterBudgetExceededException">It takes more than the budget allows.</exception>
    public RelationalDataReader Execute()
    {
        var plan = Answered(_shards.PlanOf(plans));
        if (plan?.Merge is { ComparesDefaultTexts: true } && !TextOrder.IsByBytes(Shards, TargetsOf(plan.Final)))
        {
            plan = Answered(plans.ByServer);
        }

        if (plan is null)
        {
            return Synchrony.Result(OnCoordinator().RunAsync(async: false, CancellationToken.None));
        }

        for (var i = 0; i < plan.Steps.Length; i++)
        {
            AddInputs(Collect(plan.Steps[i]), i);
        }

        var rows = Run(plan.Final.Command, FinalTargets(plan), Buffered(plan.Merge));
        try
        {
            return Give(plan, rows);
        }
        catch
        {
            ScatterDataReader.Stop(rows);
            throw;
        }
    }

    /// <inheritdoc cref="Execute" />
    public async Task<RelationalDataReader> ExecuteAsync(CancellationToken cancellationToken)
    {
        var plan = Answered(_shards.PlanOf(plans));
        if (plan?.Merge is { ComparesDefaultTexts: true } && !await TextOrder.IsByBytesAsync(Shards, TargetsOf(plan.Final), cancellationToken).ConfigureAwait(false))
        {
            plan = Answered(plans.ByServer);
        }

        if (plan is null)
        {
            return await OnCoordinator().RunAsync(async: true, cancellationToken).ConfigureAwait(false);
        }

        for (var i = 0; i < plan.Steps.Length; i++)
        {
            AddInputs(await CollectAsync(plan.Steps[i], cancellationToken).ConfigureAwait(false), i);
        }

        var rows = await RunAsync(plan.Final.Command, FinalTargets(plan), Buffered(plan.Merge), cancellationToken).ConfigureAwait(false);
        try
        {
            return Give(plan, rows);
        }
        catch
        {
            await ScatterDataReader.StopAsync(rows).ConfigureAwait(false);
            throw;
        }
    }

    private CollectedRows Collect(ScatterStep step)
    {
        var collected = new CollectedRows(step.Columns);
        foreach (var targets in TurnsOf(step, out var enough))
        {
            var results = Run(step.Command, targets, buffered: null);
            try
            {
                for (var shard = 0; shard < results.Length; shard++)
                {
                    var number = _shards.NumberOf(targets[shard]);
                    while (results[shard]?.Read() == true)
                    {
                        Count(collected.Add(results[shard]!.DbDataReader, number));
                    }
                }
            }
            catch (ScatterBudgetExceededException) when (TransactionOf(targets) is not null)
            {
                // A statement that is stopped would end the transaction of its shard.
                ScatterDataReader.End(results);
                throw;
            }
            catch
            {
                ScatterDataReader.Stop(results);
                throw;
            }

            ScatterDataReader.End(results);

            if (collected.Count >= enough)
            {
                break;
            }
        }

        return collected;
    }

    private async Task<CollectedRows> CollectAsync(ScatterStep step, CancellationToken cancellationToken)
    {
        var collected = new CollectedRows(step.Columns);
        foreach (var targets in TurnsOf(step, out var enough))
        {
            var results = await RunAsync(step.Command, targets, buffered: null, cancellationToken).ConfigureAwait(false);
            try
            {
                for (var shard = 0; shard < results.Length; shard++)
                {
                    var number = _shards.NumberOf(targets[shard]);
                    while (results[shard] is { } result && await result.ReadAsync(cancellationToken).ConfigureAwait(false))
                    {
                        Count(collected.Add(result.DbDataReader, number));
                    }
                }
            }
            catch (ScatterBudgetExceededException) when (TransactionOf(targets) is not null)
            {
                await ScatterDataReader.EndAsync(results).ConfigureAwait(false);
                throw;
            }
            catch
            {
                await ScatterDataReader.StopAsync(results).ConfigureAwait(false);
                throw;
            }

            await ScatterDataReader.EndAsync(results).ConfigureAwait(false);

            if (collected.Count >= enough)
            {
                break;
            }
        }

        return collected;
    }

    // All shards at once, or one after the other where the first ones may have enough rows. Whoever goes without shards is to be told of all that fail.
    private List<List<ScatterTarget>> TurnsOf(ScatterStep step, out long enough)
    {
        var targets = TargetsOf(step);
        if (home.Partial is null && step.Sequence is { } sequence && _shards.InSequence(targets, sequence) is { } inOrder)
        {
            enough = sequence.EnoughIn(_shards.Parameters);
            return inOrder.ConvertAll(t => new List<ScatterTarget> { t });
        }

        enough = long.MaxValue;
        return [targets];
    }

    // Nothing if the fallback coordinator is to answer the whole.
    private ScatterPlan? Answered(ScatterPlan plan)
    {
        _refusal = _shards.RefusalOf(plan);
        return _refusal is null ? plan : Shards.Fallback is { Obstacle: null } ? null : throw _shards.Refusal(_refusal, Shards.Fallback?.Obstacle);
    }

    private CoordinatorRead OnCoordinator() => new(Shards.Fallback!, _shards, _refusal!, plans, command);

    private List<ScatterTarget> TargetsOf(ScatterStep step) => Checked(_shards.TargetsOf(step));

    private List<ScatterTarget> FinalTargets(ScatterPlan plan) => plan.Merge is null ? [new ScatterTarget(home, null)] : TargetsOf(plan.Final);

    private RelationalDataReader Give(ScatterPlan plan, RelationalDataReader?[] results)
    {
        home.NoteScatter(_oldest, _asked);
        if (plan.Merge is not { } merge)
        {
            return results[0]!;
        }

        RelationalDataReader[] answers = [.. results.OfType<RelationalDataReader>()];
        return new ScatterDataReader(
            answers, new MergedDataReader(answers, merge.Columns, merge.Keys, merge.Page.OffsetIn(_shards.Parameters), merge.Page.LimitIn(_shards.Parameters)));
    }

    // Whoever buffers results, so that a strategy may run them again or another query can begin, buffers those of each shard, with the keys of the order.
    private IReadOnlyList<ReaderColumn?>? Buffered(Merge? merge) =>
        command.ReaderColumns is { } columns && merge is not null ? [.. columns, .. merge.Keys.Select((k, i) => k.Type.BufferedAt(merge.Columns + i))] : command.ReaderColumns;

    private List<ScatterTarget> Checked(List<ScatterTarget> targets)
    {
        if (targets.Count > _budget.MaxShards)
        {
            throw new ScatterBudgetExceededException(string.Create(
                CultureInfo.InvariantCulture,
                $"A query concerns {targets.Count} shards, and ScatterBudget allows {_budget.MaxShards}. Compare the shard key with a value, or allow more in UseSharding(s => s.ScatterBudget(...))."));
        }

        if (_budget.MaxTime is { } most && Shards.Clock.GetElapsedTime(_startedAt) > most)
        {
            throw new ScatterBudgetExceededException(string.Create(
                CultureInfo.InvariantCulture,
                $"A query over several shards has taken longer than the {most.TotalSeconds:0.###} s that ScatterBudget allows. Narrow it down, or allow more in UseSharding(s => s.ScatterBudget(...))."));
        }

        return targets;
    }

    private void Count(long bytes)
    {
        _bytes += bytes;
        if (++_rows > _budget.MaxRows || _bytes > _budget.MaxBytes)
        {
            throw new ScatterBudgetExceededException(string.Create(
                CultureInfo.InvariantCulture,
                $"A query over several shards needs more intermediate rows than the {_budget.MaxRows:N0} of {_budget.MaxBytes:N0} bytes that ScatterBudget allows. Group or filter by more, order texts by the collation \"C\", name the shard key, or allow more in UseSharding(s => s.ScatterBudget(...))."));
        }
    }

    private void AddInputs(CollectedRows collected, int number)
    {
        foreach (var (name, value, type) in collected.Parameters(number))
        {
            _inputs.Add(new NpgsqlParameter(name, type) { Value = value });
        }
    }

    private NpgsqlParameter[] InputsOf(in ScatterTarget target) =>
        _inputs.Count == 0 ? [] : [.. _inputs, new NpgsqlParameter(IntermediateResult.Shard, NpgsqlDbType.Integer) { Value = _shards.NumberOf(target) }];

    // Stops the others when one fails, and waits for all of them.
#pragma warning disable CA1031
    private RelationalDataReader?[] Run(RoutedCommand part, List<ScatterTarget> targets, IReadOnlyList<ReaderColumn?>? buffered)
    {
        if (TransactionOf(targets) is { } transaction)
        {
            Synchrony.Result(transaction.SetUpOwnAsync(async: false, CancellationToken.None));
        }

        var results = new RelationalDataReader?[targets.Count];
        Exception? first = null;
        var runs = targets.ConvertAll(Begin(part));
        Parallel.For(0, targets.Count, i =>
        {
            try
            {
                if (Volatile.Read(ref first) is null)
                {
                    using var turn = Shards.Database.Gate.Enter(targets[i].Router.ShardName!);
                    results[i] = runs[i].ReadPart(command, buffered);
                }
            }
            catch (Exception failure)
            {
                if (!LeavesOut(targets[i], failure))
                {
                    Interlocked.CompareExchange(ref first, TextSettings.Explain(failure, targets[i].Router.ShardName!), null);
                }
            }
        });
        if ((first ?? NobodyAnswered(targets, results)) is { } reason)
        {
            ScatterDataReader.Stop(results);
            ExceptionDispatchInfo.Throw(reason);
        }

        NoteOldest(targets, results);
        return results;
    }

    private async Task<RelationalDataReader?[]> RunAsync(
        RoutedCommand part, List<ScatterTarget> targets, IReadOnlyList<ReaderColumn?>? buffered, CancellationToken cancellationToken)
    {
        if (TransactionOf(targets) is { } transaction)
        {
            await transaction.SetUpOwnAsync(async: true, cancellationToken).ConfigureAwait(false);
        }

        var results = new RelationalDataReader?[targets.Count];
        Exception? first = null;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var runs = targets.ConvertAll(Begin(part));
        await Task.WhenAll(Enumerable.Range(0, targets.Count).Select(RunOneAsync)).ConfigureAwait(false);
        if ((first ?? NobodyAnswered(targets, results)) is { } reason)
        {
            await ScatterDataReader.StopAsync(results).ConfigureAwait(false);
            ExceptionDispatchInfo.Throw(reason);
        }

        NoteOldest(targets, results);
        return results;

        async Task RunOneAsync(int i)
        {
            try
            {
                using var turn = await Shards.Database.Gate.EnterAsync(targets[i].Router.ShardName!, stop.Token).ConfigureAwait(false);
                results[i] = await runs[i].ReadPartAsync(command, buffered, stop.Token).ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                if (!LeavesOut(targets[i], failure) && Interlocked.CompareExchange(ref first, TextSettings.Explain(failure, targets[i].Router.ShardName!), null) is null)
                {
                    await stop.CancelAsync().ConfigureAwait(false);
                }
            }
        }
    }

    // The whole may be as old as its oldest part, in whatever step.
    private void NoteOldest(List<ScatterTarget> targets, RelationalDataReader?[] results)
    {
        for (var i = 0; i < targets.Count; i++)
        {
            if (results[i] is not null && targets[i].Router.LastDecision is { } decision && (_oldest is not { } oldest || decision.StalenessBound >= oldest.StalenessBound))
            {
                _oldest = decision;
            }
        }
    }

    // The transaction that other shards come into, while the context's own runs its part.
    private SpanningTransaction? TransactionOf(List<ScatterTarget> targets) => targets.Exists(t => t.Router != home) ? Shards.Spanning : null;

    // Whether the application goes without the rows of a shard that does not answer.
    private bool LeavesOut(in ScatterTarget target, Exception failure)
    {
        if (home.Partial is not { } partial || failure is not (ShardConnectionException or NoEligibleNodeException))
        {
            return false;
        }

        partial.Note(target.Router.ShardName!, failure);
        return true;
    }

    private Exception? NobodyAnswered(List<ScatterTarget> targets, RelationalDataReader?[] results) =>
        targets.Count > 0 && Array.TrueForAll(results, r => r is null) ? home.Partial?.Failures[targets[0].Router.ShardName!] : null;

    private Converter<ScatterTarget, RoutedCommand> Begin(RoutedCommand part) => target =>
    {
        _asked.Add(target.Router.ShardName!);
        RoutedCommand.CountCommand(target.Router, command.CommandSource);
        return part.For(target, InputsOf(target));
    };
#pragma warning restore CA1031
}
