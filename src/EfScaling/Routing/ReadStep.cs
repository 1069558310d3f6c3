namespace EfScaling.Routing;

/// <summary>What a read does next.</summary>
internal enum ReadStep
{
    /// <summary>It runs on the replica of <see cref="RoutedRead.Connection"/>.</summary>
    RunOnReplica,

    /// <summary>It runs on the context's own connection.</summary>
    RunOnPrimary,

    /// <summary>It waits, then asks for the next step.</summary>
    Wait,

    /// <summary>It learns how far the primary's log has grown, then asks for the next step.</summary>
    LearnPosition,
}
