namespace EfScaling.Sharding;

/// <summary>Makes a property the shard key of its entity, or a column of it: rows live on the shard that the key's value belongs to.</summary>
/// <remarks>The same as <c>IsSharded(...)</c> on the entity's builder, which wins where both are given.</remarks>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ShardKeyAttribute : Attribute
{
    /// <summary>Gets or sets the place of the property among those of the key, from zero.</summary>
    public int Order { get; set; }

    /// <summary>Gets or sets the shard map that the key is looked up in; <see langword="null"/> for the one without a name.</summary>
    public string? Map { get; set; }
}
