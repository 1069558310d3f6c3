// The base class would end a command and a connection, of which there are none.
#pragma warning disable CA2215

using System.Data.Common;
using EfScaling.Caching.Rows;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Gives EF a cached result. There is no command and no connection behind it, and none is opened or closed.</summary>
internal sealed class CachedDataReader(RowSet rows) : RelationalDataReader
{
    private readonly RowSetReader _reader = new(rows);

    /// <inheritdoc />
    public override DbDataReader DbDataReader => _reader;

    /// <inheritdoc />
    public override bool Read() => _reader.Read();

    /// <inheritdoc />
    public override Task<bool> ReadAsync(CancellationToken cancellationToken = default) => _reader.ReadAsync(cancellationToken);

    /// <inheritdoc />
    public override void Close() => _reader.Close();

    /// <inheritdoc />
    public override ValueTask CloseAsync()
    {
        _reader.Close();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc />
    public override void Dispose() => _reader.Close();

    /// <inheritdoc />
    public override ValueTask DisposeAsync() => CloseAsync();
}
