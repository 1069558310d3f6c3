// The factory is wrapped by deriving from it, which needs its name (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using System.Data;
using System.Data.Common;
using System.Linq.Expressions;
using EfScaling.Caching;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;
using Npgsql.EntityFrameworkCore.PostgreSQL.Query.Internal;

namespace EfScaling.Tests.Caching;

/// <summary>Runs queries against no server and keeps the facts of each command that EF generates.</summary>
internal static class CommandCapture
{
    [ThreadStatic]
    private static List<QueryFacts>? _facts;

    [ThreadStatic]
    private static Func<Expression, Expression>? _rewrite;

    /// <summary>Returns the facts of the commands of one unit of work, in the order of their making.</summary>
    /// <param name="use">What is done with the context.</param>
    /// <param name="rewrite">Changes each tree before its facts are read; the SQL stays as it is.</param>
    public static IReadOnlyList<QueryFacts> Of(Action<FactsContext> use, Func<Expression, Expression>? rewrite = null) =>
        Of(o => new FactsContext(o), use, rewrite);

    /// <inheritdoc cref="Of(Action{FactsContext}, Func{Expression, Expression}?)" />
    /// <typeparam name="TContext">The context's type.</typeparam>
    /// <param name="create">Makes the context.</param>
    /// <param name="use">What is done with the context.</param>
    /// <param name="rewrite">Changes each tree before its facts are read, or only looks at it; the SQL stays as it is.</param>
    public static IReadOnlyList<QueryFacts> Of<TContext>(Func<DbContextOptions, TContext> create, Action<TContext> use, Func<Expression, Expression>? rewrite = null)
        where TContext : DbContext
    {
        var options = new DbContextOptionsBuilder()
            .UseNpgsql("Host=primary.invalid")
            .ReplaceService<IQuerySqlGeneratorFactory, CapturingFactory>()
            .AddInterceptors(new NoServer(), new NoConnection())
            .EnableServiceProviderCaching(false);
        _facts = [];
        _rewrite = rewrite;
        using var context = create(options.Options);
        use(context);
        return _facts;
    }

    private sealed class CapturingFactory(QuerySqlGeneratorDependencies dependencies, IRelationalTypeMappingSource types, INpgsqlSingletonOptions options)
        : NpgsqlQuerySqlGeneratorFactory(dependencies, types, options), IQuerySqlGeneratorFactory
    {
        private readonly QuerySqlGeneratorDependencies _dependencies = dependencies;

        QuerySqlGenerator IQuerySqlGeneratorFactory.Create() => new Generator(_dependencies, Create());
    }

    private sealed class Generator(QuerySqlGeneratorDependencies dependencies, QuerySqlGenerator inner) : QuerySqlGenerator(dependencies)
    {
        public override IRelationalCommand GetCommand(Expression queryExpression)
        {
            _facts!.Add(QueryFactsReader.Read(_rewrite?.Invoke(queryExpression) ?? queryExpression));
            return inner.GetCommand(queryExpression);
        }
    }

    private sealed class NoConnection : DbConnectionInterceptor
    {
        public override InterceptionResult ConnectionOpening(DbConnection connection, ConnectionEventData eventData, InterceptionResult result) => InterceptionResult.Suppress();
    }

    /// <summary>Answers the first command with one row of zeroes, so that EF goes on to the further commands of a split query, and the others with none.</summary>
    private sealed class NoServer : DbCommandInterceptor
    {
        private bool _hasAnswered;

        public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result) => InterceptionResult<int>.SuppressWithResult(0);

        public override InterceptionResult<DbDataReader> ReaderExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result)
        {
            var table = new DataTable();
            foreach (var column in _facts![^1].Columns)
            {
                table.Columns.Add(new DataColumn(_facts[^1].AreColumnsFoundByName ? column.Name : $"{table.Columns.Count}", column.ClrType));
            }

            if (!_hasAnswered && command.CommandText.StartsWith("-- split", StringComparison.Ordinal))
            {
                table.Rows.Add([.. _facts[^1].Columns.Select(c => c.ClrType == typeof(string) ? "{}" : (object)Activator.CreateInstance(c.ClrType)!)]);
            }

            _hasAnswered = true;
            return InterceptionResult<DbDataReader>.SuppressWithResult(table.CreateDataReader());
        }
    }
}
