namespace EfScaling.Caching.Rows;

/// <summary>A codec of the application.</summary>
/// <param name="Name">What its format is called.</param>
/// <param name="ValueType">The type of its values.</param>
/// <param name="AddTo">Returns codecs with this one.</param>
internal sealed record CodecRegistration(string Name, Type ValueType, Func<RowCodecs, RowCodecs> AddTo)
{
    /// <inheritdoc />
    /// <remarks>Options are often made anew for each context; the name stands for the format.</remarks>
    public bool Equals(CodecRegistration? other) => other is not null && Name == other.Name && ValueType == other.ValueType;

    /// <inheritdoc />
    public override int GetHashCode() => HashCode.Combine(Name, ValueType);
}
