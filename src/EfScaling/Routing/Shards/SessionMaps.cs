using EfScaling.Consistency;
using EfScaling.Replication;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using Npgsql;

namespace EfScaling.Routing.Shards;

/// <summary>The shard maps that a context goes by: not older than those that its session has seen.</summary>
/// <param name="database">The shards, and what lives where.</param>
/// <param name="home">The router of the context's own connection.</param>
/// <remarks>Not thread-safe, like the context.</remarks>
internal sealed class SessionMaps(ShardedDatabase database, ReadRouter home)
{
    // The catalog in consistency tokens, among the shards.
    private const string CatalogInTokens = "efscaling.catalog";

    private (ConsistencySession? Session, long Epoch) _noted;

    /// <summary>Gets or sets the maps that all commands of the context go by, whatever the catalog says meanwhile; <see langword="null"/> for the present ones.</summary>
    public ShardPicture? Pinned { get; set; }

    /// <summary>Gets the maps of the next command.</summary>
    public ShardPicture Picture => Pinned ?? database.Picture;

    /// <summary>Gets the token of the maps that the context uses: whoever continues what it does must not take older ones.</summary>
    public ConsistencyToken Token => database.Catalog is { Current: { } picture, Id: var id }
        ? new ConsistencyToken([new ShardPosition(CatalogInTokens, (ulong)id, Timeline: 0, new WalPosition((ulong)picture.Epoch))])
        : ConsistencyToken.None;

    /// <summary>Makes sure that the maps are there, and that the session has seen no newer ones: a replica that is late would show what was before those.</summary>
    public void Prepare()
    {
        if (Picture.Epoch < SessionEpoch)
        {
            try
            {
                database.Catalog!.Refresh();
            }
            catch (NpgsqlException failure)
            {
                throw SessionAhead(failure);
            }

            RequireEpoch();
        }
    }

    /// <inheritdoc cref="Prepare" />
    public ValueTask PrepareAsync(CancellationToken cancellationToken)
    {
        return database.Catalog?.Current is not null && Picture.Epoch >= SessionEpoch ? ValueTask.CompletedTask : LoadAsync();

        async ValueTask LoadAsync()
        {
            await database.PrepareAsync(cancellationToken).ConfigureAwait(false);
            if (Picture.Epoch < SessionEpoch)
            {
                try
                {
                    await database.Catalog!.RefreshAsync(cancellationToken).ConfigureAwait(false);
                }
                catch (NpgsqlException failure)
                {
                    throw SessionAhead(failure);
                }

                RequireEpoch();
            }
        }
    }

    /// <summary>Notes the maps by which a command finds its shard: whoever continues the session must not take older ones.</summary>
    /// <remarks>Only once for each picture: tokens are merged under a lock.</remarks>
    public void Note(ShardPicture picture)
    {
        if (ConsistencySession.Current is { } session && _noted != (session, picture.Epoch))
        {
            _noted = (session, picture.Epoch);
            session.Use(Token);
        }
    }

    /// <summary>Forgets what was noted and pinned.</summary>
    public void Forget() => (_noted, Pinned) = (default, null);

    private long SessionEpoch => database.Catalog is { Id: var id and not 0 }
        ? Math.Max(EpochIn(ConsistencySession.Current?.Given, id), EpochIn(home.Session.Own.Token, id))
        : 0;

    private static long EpochIn(ConsistencyToken? token, long id) => (long)(token?.Find(CatalogInTokens, (ulong)id)?.Position.Value ?? 0);

    private void RequireEpoch()
    {
        if (Picture.Epoch < SessionEpoch)
        {
            throw SessionAhead(null);
        }
    }

    private static ShardMapChangedException SessionAhead(NpgsqlException? failure) => new(
        failure is null
            ? "A command belongs to a session that has seen newer shard maps than the catalog gives, as after the catalog was restored from a backup. Change the map once more in the catalog, or begin the session anew."
            : $"A command belongs to a session that has seen newer shard maps than this process has, and the catalog does not answer ({NodeError.Describe(failure)}). Start its server, so that they can be loaded.",
        failure);
}
