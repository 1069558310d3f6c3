namespace EfScaling.Caching;

/// <summary>What a command of <c>ExecuteUpdate</c> or <c>ExecuteDelete</c> writes.</summary>
/// <param name="Table">The table named in the statement; <see langword="null"/> if it cannot be told what is written.</param>
/// <param name="Kind">What is done to it. Without meaning if the table is unknown.</param>
internal sealed record WriteFacts(TableName? Table, WriteKind Kind)
{
    /// <summary>A write of which nothing is known: it may have changed every table.</summary>
    public static readonly WriteFacts Unknown = new(null, default);
}
