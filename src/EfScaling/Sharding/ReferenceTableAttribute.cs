namespace EfScaling.Sharding;

/// <summary>Keeps a copy of the entity's table on every shard. The same as <c>IsReferenceTable()</c> on the entity's builder.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class ReferenceTableAttribute : Attribute;
