using System.Data.Common;
using Npgsql;

namespace EfScaling.Replication;

/// <summary>Tells from an exception whose fault a failed read was.</summary>
internal static class ReadFailureClassifier
{
    // What the ownership functions of a shard raise.
    private const string NotOwner = "EFS01";

    /// <summary>Classifies the failure of a read on a node in recovery.</summary>
    /// <param name="exception">What the read threw.</param>
    /// <param name="wasOpen">Whether the connection was open, so that the query itself failed.</param>
    /// <param name="isPoolFull">Whether every connection of the node was in use.</param>
    public static ReadFailure Classify(Exception exception, bool wasOpen, bool isPoolFull) => exception switch
    {
        // Nothing is known against the node: the monitor has just forgotten what it measured, or the read could not be guarded.
        NodeRejectedException { Reason: Freshness.PrimaryUnknown or Freshness.BehindCaller } => ReadFailure.Troubled,
        NodeRejectedException => ReadFailure.Node,
        PostgresException postgres => Classify(postgres.SqlState),
        NpgsqlException { InnerException: TimeoutException } when wasOpen => ReadFailure.TimedOut,
        NpgsqlException { InnerException: TimeoutException } when isPoolFull => ReadFailure.Busy,

        // Everything else that is not the server's answer about the query: sockets, time-outs, TLS, a session the server closed.
        DbException => ReadFailure.Node,
        _ => ReadFailure.Query,
    };

    private static ReadFailure Classify(string sqlState) => sqlState switch
    {
        // Reads on a standby run in read committed or read-only repeatable read, which have no serialization failures of their own.
        PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected => ReadFailure.RecoveryConflict,
        PostgresErrorCodes.IdleSessionTimeout => ReadFailure.SessionEnded,
        PostgresErrorCodes.TooManyConnections => ReadFailure.Busy,
        PostgresErrorCodes.ReadOnlySqlTransaction
            or PostgresErrorCodes.FeatureNotSupported
            or PostgresErrorCodes.ObjectNotInPrerequisiteState => ReadFailure.NeedsPrimary,
        NotOwner => ReadFailure.NotOwner,
        PostgresErrorCodes.UndefinedTable
            or PostgresErrorCodes.UndefinedColumn
            or PostgresErrorCodes.UndefinedFunction
            or PostgresErrorCodes.UndefinedObject
            or PostgresErrorCodes.InvalidSchemaName
            or PostgresErrorCodes.InsufficientPrivilege => ReadFailure.SchemaBehind,
        PostgresErrorCodes.AdminShutdown
            or PostgresErrorCodes.CrashShutdown
            or PostgresErrorCodes.CannotConnectNow
            or PostgresErrorCodes.DatabaseDropped
            or PostgresErrorCodes.InvalidCatalogName
            or PostgresErrorCodes.InvalidPassword
            or PostgresErrorCodes.InvalidAuthorizationSpecification
            or PostgresErrorCodes.DiskFull
            or PostgresErrorCodes.DataCorrupted
            or PostgresErrorCodes.IndexCorrupted => ReadFailure.Node,

        // What one query meets on one server may be the query's doing: the next node is asked, and this one keeps its standing.
        PostgresErrorCodes.OutOfMemory or PostgresErrorCodes.InternalError => ReadFailure.Troubled,

        // Connection exceptions and system errors.
        _ when sqlState.StartsWith("08", StringComparison.Ordinal) || sqlState.StartsWith("58", StringComparison.Ordinal) => ReadFailure.Node,
        _ => ReadFailure.Query,
    };
}
