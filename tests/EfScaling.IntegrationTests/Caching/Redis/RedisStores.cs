using System.Collections.Concurrent;
using System.Globalization;
using EfScaling.Caching;
using EfScaling.Caching.Redis;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;

namespace EfScaling.IntegrationTests.Caching.Redis;

/// <summary>A store over a server, what it reported and logged, and a plain connection to look behind it.</summary>
internal sealed class RedisStores : IAsyncDisposable
{
    public const string Entry = "efs:{shop}:q:1";
    public const string Orders = "efs:{shop}:v:public.orders";
    public const string Lines = "efs:{shop}:v:public.lines";
    public const string Wildcard = "efs:{shop}:w";
    public const string Log = "efs:{shop}:i";

    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private RedisStores(RedisOptions options)
    {
        Options = options;
        Store = new RedisCacheStore(options, TimeProvider.System, Events);
        Store.Subscribe(Reports.Enqueue);
    }

    public RedisOptions Options { get; }

    public RedisCacheStore Store { get; }

    public EventLog Events { get; } = new();

    /// <summary>Changes in the order in which they were reported.</summary>
    public ConcurrentQueue<string?> Reports { get; } = new();

    public static RedisOptions OptionsOf(RedisServer server) => new() { Endpoints = [new(server.Host, server.Port)], Password = server.Password, MaxWait = TimeSpan.FromMilliseconds(500) };

    /// <summary>Makes a store that is connected.</summary>
    public static async Task<RedisStores> ConnectAsync(RedisOptions options)
    {
        var stores = Start(options);
        await stores.IsUsableAsync();
        return stores;
    }

    /// <summary>Makes a store that may or may not connect.</summary>
    public static RedisStores Start(RedisOptions options) => new(options);

    public Task IsUsableAsync() => Eventually.ThatAsync(() => Store.Outage is null, Patience, "the store to be connected");

    public Task FailsWithAsync(string reason) =>
        Eventually.ThatAsync(() => Store.Outage?.Contains(reason, StringComparison.Ordinal) == true, Patience, $"an outage because of '{reason}', not '{Store.Outage}'");

    public Task IsToldAsync(string? key) => Eventually.ThatAsync(() => Reports.Contains(key), Patience, $"a report of '{key ?? "anything"}'");

    /// <summary>Runs a command as another client.</summary>
    public string Run(params string[] command)
    {
        using var dialog = RedisDialog.Open(Options.Endpoints[0], Options with { UseTls = false, CertificateValidation = null }, null);
        if (Options.Password is { } password && Options.User is null)
        {
            dialog.Ask("auth", "AUTH", password);
        }

        return dialog.Ask(command[0], command);
    }

    public long Number(params string[] command) => long.Parse(Run(command), CultureInfo.InvariantCulture);

    public ValueTask DisposeAsync() => Store.DisposeAsync();

    public async Task<CacheReading> ReadAsync(params string[] versions)
    {
        var reading = await Store.ReadAsync(Entry, versions, default);
        Assert.Null(reading.Failure);
        return reading;
    }
}
