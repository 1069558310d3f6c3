using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Changes the SQL of queries, as applications do to add hints or settings.</summary>
internal sealed class RewritingInterceptor : DbCommandInterceptor
{
    /// <summary>Makes one statement of another.</summary>
    public Func<string, string> Rewrite { get; set; } = sql => sql;

    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
#pragma warning disable CA2100 // The text comes from the test.
        command.CommandText = Rewrite(command.CommandText);
#pragma warning restore CA2100
        return new(result);
    }
}
