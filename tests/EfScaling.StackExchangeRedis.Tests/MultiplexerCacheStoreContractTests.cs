using System.Runtime.CompilerServices;
using EfScaling.Caching;
using EfScaling.Caching.StackExchangeRedis;
using EfScaling.IntegrationTests.Caching;
using EfScaling.Testing;
using StackExchange.Redis;

namespace EfScaling.StackExchangeRedis.Tests;

/// <summary>Skips with the reason where StackExchange.Redis was compiled against but lacks the packages that it needs to run.</summary>
public sealed class MultiplexerCacheStoreContractTests : CacheStoreContract
{
    private readonly List<IConnectionMultiplexer> _multiplexers = [];
    private RedisServer? _server;

    protected override async Task<ICacheStore> OpenAsync()
    {
        _server ??= await RedisServer.StartAsync();
        try
        {
            return await ConnectAsync(_server);
        }
        catch (Exception exception) when (MissingAssembly(exception) is { } missing)
        {
            Assert.Skip($"StackExchange.Redis cannot run here: {missing}");
            throw;
        }
    }

    protected override Task LoseAsync() => _multiplexers[0].GetDatabase().ExecuteAsync("FLUSHALL");

    protected override Task BreakAsync() => _server!.KillAsync();

    protected override Task MendAsync() => _server!.StartAsync();

    protected override async ValueTask CloseAsync()
    {
        foreach (var multiplexer in _multiplexers)
        {
            await multiplexer.DisposeAsync();
        }

        await (_server?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    private static string? MissingAssembly(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is FileNotFoundException or FileLoadException or TypeLoadException)
            {
                return exception.Message;
            }
        }

        return null;
    }

    // Not inlined: its types are loaded when it is compiled, which must not happen outside the caller's try.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private async Task<MultiplexerCacheStore> ConnectAsync(RedisServer server)
    {
        var multiplexer = await ConnectionMultiplexer.ConnectAsync($"{server.Endpoint},abortConnect=false,syncTimeout=1000");
        _multiplexers.Add(multiplexer);
        return new MultiplexerCacheStore(multiplexer, new StackExchangeRedisStoreOptions { MaxWait = TimeSpan.FromSeconds(2) });
    }
}
