using System.Diagnostics.Metrics;

namespace EfScaling.Diagnostics;

/// <summary>The instruments <c>efscaling.sharding.*</c> of the meter <c>EfScaling</c>. Tags are the names of shards as configured, kinds and reasons only.</summary>
internal static class ShardingMeter
{
    private static readonly Meter _meter = new("EfScaling");

    private static readonly Counter<long> _commands = _meter.CreateCounter<long>(
        "efscaling.sharding.commands", "{command}", "Commands by the shard they concern and their kind: query, save, bulk, sql or other. Answers of the query cache count too.");

    private static readonly Counter<long> _refusals = _meter.CreateCounter<long>(
        "efscaling.sharding.refusals", "{command}", "Commands that were refused because no single shard could run them, by reason.");

    private static readonly Counter<long> _fallbacks = _meter.CreateCounter<long>(
        "efscaling.sharding.fallbacks", "{query}", "Queries that ran on the fallback coordinator because the shards could not answer them together, by the rule that they break.");

    private static readonly Counter<long> _plans = _meter.CreateCounter<long>(
        "efscaling.sharding.plans", "{plan}", "SQL that was generated and read for its shards: once for each shape of a query, whatever its shards and parameters.");

    private static readonly Counter<long> _contexts = _meter.CreateCounter<long>(
        "efscaling.sharding.contexts", "{context}", "Contexts handed out by ShardedDbContextFactory, by the shard they are bound to; without a shard for those that span all.");

    /// <summary>Gets whether anybody listens to the count of commands.</summary>
    public static bool CountsCommands => _commands.Enabled;

    /// <summary>Gets whether anybody listens to the count of contexts.</summary>
    public static bool CountsContexts => _contexts.Enabled;

    /// <summary>Counts a command.</summary>
    public static void CountCommand(string shard, string kind) => _commands.Add(1, new("shard", shard), new("kind", kind));

    /// <summary>Counts a command that was refused.</summary>
    public static void CountRefusal(string reason) => _refusals.Add(1, new KeyValuePair<string, object?>("reason", reason));

    /// <summary>Counts a query that runs on the fallback coordinator.</summary>
    public static void CountFallback(string rule) => _fallbacks.Add(1, new KeyValuePair<string, object?>("rule", rule));

    /// <summary>Counts a plan.</summary>
    public static void CountPlan() => _plans.Add(1);

    /// <summary>Counts a context that is bound to a shard.</summary>
    public static void CountContext(string shard) => _contexts.Add(1, new KeyValuePair<string, object?>("shard", shard));

    /// <summary>Counts a context that spans all shards.</summary>
    public static void CountSpanningContext() => _contexts.Add(1);
}
