namespace EfScaling.Sharding;

/// <summary>Lets the client generate the ids of a property of type <see cref="long"/>, each with the bucket of its row's shard key.</summary>
/// <remarks>The same as <c>HasShardedId()</c> on the property's builder.</remarks>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ShardedIdAttribute : Attribute;
