using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>The SQL of the queries that a context has sent, as it was when they ran.</summary>
internal sealed class SentSql : DbCommandInterceptor
{
    /// <summary>The texts in the order of the queries.</summary>
    public List<string> Texts { get; } = [];

    public override DbDataReader ReaderExecuted(DbCommand command, CommandExecutedEventData eventData, DbDataReader result)
    {
        Texts.Add(command.CommandText);
        return result;
    }

    public override ValueTask<DbDataReader> ReaderExecutedAsync(DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(ReaderExecuted(command, eventData, result));
}
