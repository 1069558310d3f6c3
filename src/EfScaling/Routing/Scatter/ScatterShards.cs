using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Scatter;

/// <summary>Finds the shards that the parts of one query over several shards, or of one set-based write, run on.</summary>
/// <remarks>
/// All parts go by the same maps: rows that one part has found on a shard are joined there by the next. A shard that does not own any more what these maps say refuses its part, and the whole is
/// repeated with new ones. Made for one command; not thread-safe, like the context.
/// </remarks>
internal sealed class ScatterShards
{
    private readonly ContextShards _shards;
    private readonly ShardPlan _plan;
    private readonly RelationalCommandParameterObject _command;
    private readonly ShardPicture _picture;

    /// <param name="shards">The shards of the context.</param>
    /// <param name="plan">What the SQL of the whole command says about shards.</param>
    /// <param name="command">How it is run.</param>
    public ScatterShards(ContextShards shards, ShardPlan plan, in RelationalCommandParameterObject command)
    {
        (_shards, _plan, _command) = (shards, plan, command);
        _picture = plan.NeedsOwnership ? shards.Picture : shards.Database.Configured;
    }

    /// <summary>Gets the parameters of the query.</summary>
    public IReadOnlyDictionary<string, object?> Parameters => _command.ParameterValues ?? new Dictionary<string, object?>();

    /// <summary>Returns the shards that the whole command concerns.</summary>
    public List<ScatterTarget> Targets() => TargetsOf(_plan);

    /// <summary>Returns the shards that a step runs on.</summary>
    public List<ScatterTarget> TargetsOf(ScatterStep step) => TargetsOf(step.FollowsOrigin ? _plan : step.Command.Shards!);

    /// <summary>Returns shards in the order of their keys, if one after the other need be asked until there are enough rows; <see langword="null"/> if all are to be asked at once.</summary>
    /// <param name="targets">The shards.</param>
    /// <param name="sequence">The order of the rows.</param>
    public List<ScatterTarget>? InSequence(List<ScatterTarget> targets, ShardSequence sequence)
    {
        if (_picture.Maps[sequence.Map] is not RangeShardMap { ShardsInOrder: { } order } || sequence.EnoughIn(Parameters) > ShardSequence.MostRows)
        {
            return null;
        }

        List<ScatterTarget> inOrder = [.. order.SelectMany(s => targets.Where(t => t.Router.ShardName == s))];
        if (sequence.IsDescending)
        {
            inOrder.Reverse();
        }

        return inOrder;
    }

    /// <summary>Returns the plan of the query, or of its refusal, where databases order texts by bytes.</summary>
    /// <param name="plans">The plans to choose from.</param>
    public ScatterPlan PlanOf(ScatterPlans plans) =>
        plans.ByBytes is { Merge.Sequence: { } sequence } && InSequence(Targets(), sequence) is not null && plans.InSequence is { Refusal: null } inSequence ? inSequence : plans.ByBytes;

    /// <summary>Returns the number of a shard.</summary>
    public int NumberOf(in ScatterTarget target)
    {
        var options = _shards.Database.Options;
        return options.Shards.IndexOf(options.Find(target.Router.ShardName!)!);
    }

    /// <summary>Returns why a query cannot be answered from several shards; <see langword="null"/> if it can.</summary>
    /// <param name="scatter">How it would be answered.</param>
    public ScatterRefusal? RefusalOf(ScatterPlan scatter) =>
        scatter.Refusal
        ?? (scatter.NeedsWholeBuckets && _plan.Tables.FirstOrDefault(t => t.Table.Placement == TablePlacement.Sharded && !_picture.Maps[t.Table.Map].KeepsBucketsWhole) is { } split
            ? new ScatterRefusal(ScatterRule.SplitBuckets, split.Name)
            : null);

    /// <summary>Returns what refuses the command.</summary>
    /// <param name="refusal">Why it cannot be left to several shards.</param>
    /// <param name="obstacle">Why the fallback coordinator cannot answer it either; <see langword="null"/> if there is none.</param>
    /// <param name="failure">What failed there; <see langword="null"/> if nothing did.</param>
    public CrossShardException Refusal(ScatterRefusal refusal, string? obstacle = null, Exception? failure = null)
    {
        var choice = _shards.Choose(_picture, _plan, _command);
        var (reason, concerns) = choice is { Several: { } several, Unknown: null }
            ? (CrossShardReason.SeveralShards, $"the shards {ContextShards.Names(several)}")
            : (_plan.Opaque is null ? CrossShardReason.NoShardKey : CrossShardReason.NotUnderstood, $"every shard: {choice.Unknown}");
        var shards = choice.Unknown is null ? choice.Several ?? [] : [];
        _shards.NoteRefusal(reason, shards);
        return new CrossShardQueryNotSupportedException(
            reason,
            $"A query concerns {concerns}; and it cannot be answered from several shards, because a part of it {refusal.Explanation}. Or compare the shard key of all that it reads with a value, as in Where(x => x.Key == key). {(obstacle is null ? string.Empty : $"The fallback coordinator does not answer it: {obstacle}. ")}The part, rule {refusal.Rule}: {refusal.Fragment}",
            shards,
            refusal.Rule,
            refusal.Fragment,
            failure);
    }

    /// <summary>Says in words which parts would run where.</summary>
    /// <param name="plans">How the query may be answered.</param>
    /// <exception cref="CrossShardQueryNotSupportedException">It cannot be.</exception>
    public string Explain(ScatterPlans plans)
    {
        var scatter = PlanOf(plans);
        if (RefusalOf(scatter) is { } refusal)
        {
            return _shards.Fallback is { Obstacle: null } coordinator
                ? $"fallback coordinator {coordinator.Name}, slow: {OneLine(plans.Whole.CommandText)}\n  because a part breaks the rule {refusal.Rule}: {OneLine(refusal.Fragment)}"
                : throw Refusal(refusal, _shards.Fallback?.Obstacle);
        }

        var (final, text) = (scatter.Final, OneLine(scatter.Final.Command.CommandText));
        IEnumerable<string> lines =
        [
            .. scatter.Steps.Select(s => $"  collected from {OriginOf(s)}: {OneLine(s.Command.CommandText)}"),
            scatter.Merge switch
            {
                null => $"  finished on shard {_shards.Own}: {text}",
                { Keys.IsEmpty: true } => $"  from {NamesOf(final)}: {text}",
                _ => $"  merged in order from {NamesOf(final)}: {text}",
            },
        ];
        return $"several shards\n{string.Join('\n', lines)}";
    }

    private List<ScatterTarget> TargetsOf(ShardPlan plan)
    {
        if (plan.NeedsOwnership && _shards.IsGoverned)
        {
            _shards.Maps.Note(_picture);
        }

        var choice = _shards.Choose(_picture, plan, _command);
        var concerned = choice.Unknown is not null ? ShardsOf(plan) : choice.Several ?? [choice.Single ?? _shards.Own];
        return [.. concerned.Select(s => new ScatterTarget(_shards.RouterOf(s, _command.Connection), ClaimOf(s, plan)))];
    }

    private IEnumerable<string> ShardsOf(ShardPlan plan)
    {
        var concerned = plan.Tables
            .SelectMany(t => t.Table.Placement == TablePlacement.Sharded ? _picture.Maps[t.Table.Map].Shards : [_shards.Database.DefaultShard])
            .ToHashSet(StringComparer.Ordinal);
        return _shards.Database.Options.Shards.Select(s => s.Name).Where(concerned.Contains);
    }

    // Of several shards each must own all that it is taken to own; of a map that it is not part of it owns nothing, and has no rows.
    private OwnershipClaim? ClaimOf(string shard, ShardPlan plan)
    {
        if (!plan.NeedsOwnership || !_shards.IsGoverned)
        {
            return null;
        }

        var claim = new OwnershipClaim(_picture, shard);
        foreach (var table in plan.Tables.Where(t => t.Table.Placement == TablePlacement.Sharded && _picture.Ownership![t.Table.Map].Shards.ContainsKey(shard)))
        {
            claim.Add(table.Table.Map, MapOwnership.WholeShard);
        }

        return claim;
    }

    private string OriginOf(ScatterStep step) => step.Sequence is { } sequence && InSequence(TargetsOf(step), sequence) is { } targets
        ? $"{NamesOf(targets)}, one after the other until there are enough"
        : NamesOf(step);

    private string NamesOf(ScatterStep step) => NamesOf(TargetsOf(step));

    private static string NamesOf(List<ScatterTarget> targets) => string.Join(", ", targets.Select(t => t.Router.ShardName));

    private static string OneLine(string text) => string.Join(' ', text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
}
