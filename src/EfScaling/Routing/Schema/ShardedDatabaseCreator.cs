using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Schema;

/// <summary>Creates and deletes the databases of every shard where EF would do so with the database of the context.</summary>
internal sealed class ShardedDatabaseCreator(IRelationalDatabaseCreator inner, ShardedSchema schema) : IRelationalDatabaseCreator
{
    /// <inheritdoc />
    public bool EnsureCreated() => schema.Create();

    /// <inheritdoc />
    public Task<bool> EnsureCreatedAsync(CancellationToken cancellationToken = default) =>
        schema.CreateAsync(ShardWork.DefaultParallel, progress: null, cancellationToken);

    /// <inheritdoc />
    public bool EnsureDeleted() => schema.OnAll(nameof(EnsureDeleted), c => c.EnsureDeleted()).Contains(true);

    /// <inheritdoc />
    public async Task<bool> EnsureDeletedAsync(CancellationToken cancellationToken = default) =>
        (await schema.OnAllAsync(nameof(EnsureDeletedAsync), (c, token) => c.EnsureDeletedAsync(token), cancellationToken).ConfigureAwait(false)).Contains(true);

    /// <summary>Returns whether every shard can be reached.</summary>
    public bool CanConnect() => !schema.OnAll(nameof(CanConnect), c => c.CanConnect()).Contains(false);

    /// <inheritdoc cref="CanConnect" />
    public async Task<bool> CanConnectAsync(CancellationToken cancellationToken = default) =>
        !(await schema.OnAllAsync(nameof(CanConnectAsync), (c, token) => c.CanConnectAsync(token), cancellationToken).ConfigureAwait(false)).Contains(false);

    /// <summary>Returns whether the database of every shard exists.</summary>
    public bool Exists() => !schema.OnAll(nameof(Exists), c => c.Exists()).Contains(false);

    /// <inheritdoc cref="Exists" />
    public async Task<bool> ExistsAsync(CancellationToken cancellationToken = default) =>
        !(await schema.OnAllAsync(nameof(ExistsAsync), (c, token) => c.ExistsAsync(token), cancellationToken).ConfigureAwait(false)).Contains(false);

    /// <summary>Returns whether any shard has tables.</summary>
    public bool HasTables() => schema.OnAll(nameof(HasTables), c => c.HasTables()).Contains(true);

    /// <inheritdoc cref="HasTables" />
    public async Task<bool> HasTablesAsync(CancellationToken cancellationToken = default) =>
        (await schema.OnAllAsync(nameof(HasTablesAsync), (c, token) => c.HasTablesAsync(token), cancellationToken).ConfigureAwait(false)).Contains(true);

    /// <inheritdoc />
    public void Create() => OnAll(nameof(Create), c => c.Create());

    /// <inheritdoc />
    public Task CreateAsync(CancellationToken cancellationToken = default) => OnAllAsync(nameof(CreateAsync), (c, token) => c.CreateAsync(token), cancellationToken);

    /// <inheritdoc />
    public void Delete() => OnAll(nameof(Delete), c => c.Delete());

    /// <inheritdoc />
    public Task DeleteAsync(CancellationToken cancellationToken = default) => OnAllAsync(nameof(DeleteAsync), (c, token) => c.DeleteAsync(token), cancellationToken);

    /// <inheritdoc />
    public void CreateTables() => OnAll(nameof(CreateTables), c => c.CreateTables());

    /// <inheritdoc />
    public Task CreateTablesAsync(CancellationToken cancellationToken = default) =>
        OnAllAsync(nameof(CreateTablesAsync), (c, token) => c.CreateTablesAsync(token), cancellationToken);

    /// <inheritdoc />
    public string GenerateCreateScript() => inner.GenerateCreateScript();

    private void OnAll(string attempted, Action<IRelationalDatabaseCreator> act) =>
        schema.OnAll(attempted, c =>
        {
            act(c);
            return true;
        });

    private Task OnAllAsync(string attempted, Func<IRelationalDatabaseCreator, CancellationToken, Task> act, CancellationToken cancellationToken) =>
        schema.OnAllAsync(
            attempted,
            async (c, token) =>
            {
                await act(c, token).ConfigureAwait(false);
                return true;
            },
            cancellationToken);
}
