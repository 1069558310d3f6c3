namespace EfScaling.Sharding;

/// <summary>Keeps the entity's table on the default shard alone. The same as <c>OnDefaultShard()</c> on the entity's builder, and what holds for all that say nothing.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class DefaultShardAttribute : Attribute;
