// The base class would end a command and a connection; those of the shards' results end with these.
#pragma warning disable CA2215

using System.Data.Common;
using System.Runtime.ExceptionServices;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Scatter;

/// <summary>Gives EF the rows of several shards, and ends the results of all of them.</summary>
internal sealed class ScatterDataReader(IReadOnlyList<RelationalDataReader> shards, MergedDataReader rows) : RelationalDataReader
{
    private bool _isDisposed;

    /// <inheritdoc />
    public override DbDataReader DbDataReader => rows;

    /// <inheritdoc />
    public override bool Read() => rows.Read();

    /// <inheritdoc />
    public override Task<bool> ReadAsync(CancellationToken cancellationToken = default) => rows.ReadAsync(cancellationToken);

    /// <inheritdoc />
    public override void Close() => Dispose();

    /// <inheritdoc />
    public override ValueTask CloseAsync() => DisposeAsync();

    /// <inheritdoc />
    public override void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            rows.Close();
            End(shards);
        }
    }

    /// <inheritdoc />
    public override async ValueTask DisposeAsync()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            rows.Close();
            await EndAsync(shards).ConfigureAwait(false);
        }
    }

    // One that fails must not keep the connections of the others from being given back.
#pragma warning disable CA1031
    /// <summary>Ends results, each whatever becomes of the others.</summary>
    /// <param name="results">The results; of shards that failed there is none.</param>
    public static void End(IEnumerable<RelationalDataReader?> results)
    {
        Exception? first = null;
        foreach (var result in results)
        {
            try
            {
                result?.Dispose();
            }
            catch (Exception failure)
            {
                first ??= failure;
            }
        }

        if (first is not null)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }

    /// <inheritdoc cref="End" />
    public static async ValueTask EndAsync(IEnumerable<RelationalDataReader?> results)
    {
        Exception? first = null;
        foreach (var result in results)
        {
            try
            {
                if (result is not null)
                {
                    await result.DisposeAsync().ConfigureAwait(false);
                }
            }
            catch (Exception failure)
            {
                first ??= failure;
            }
        }

        if (first is not null)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }
#pragma warning restore CA1031
}
