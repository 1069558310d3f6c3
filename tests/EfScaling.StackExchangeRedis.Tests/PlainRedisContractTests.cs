using EfScaling.Caching;
using EfScaling.Caching.StackExchangeRedis;
using EfScaling.IntegrationTests.Caching;
using EfScaling.Testing;
using StackExchange.Redis;

namespace EfScaling.StackExchangeRedis.Tests;

/// <summary>The store against a real Redis, but not through the real library: runs where that cannot.</summary>
public sealed class PlainRedisContractTests : CacheStoreContract
{
    private readonly List<PlainRedis> _connections = [];
    private RedisServer? _server;

    protected override async Task<ICacheStore> OpenAsync()
    {
        _server ??= await RedisServer.StartAsync();
        var connection = new PlainRedis(_server);
        _connections.Add(connection);
        return new MultiplexerCacheStore(connection.Multiplexer, new StackExchangeRedisStoreOptions { MaxWait = TimeSpan.FromSeconds(2) });
    }

    protected override Task LoseAsync()
    {
        using var connection = new RespConnection(_server!.Host, _server.Port);
        connection.Send("FLUSHALL"u8.ToArray());
        return Task.CompletedTask;
    }

    protected override Task BreakAsync() => _server!.KillAsync();

    protected override async Task MendAsync()
    {
        await _server!.StartAsync();
        _connections.ForEach(c => c.Reconnect());
    }

    protected override async ValueTask CloseAsync()
    {
        _connections.ForEach(c => c.Dispose());
        await (_server?.DisposeAsync() ?? ValueTask.CompletedTask);
    }
}
