using System.Diagnostics;
using EfScaling.IntegrationTests.Testing;
using EfScaling.Testing;
using static EfScaling.IntegrationTests.Caching.Redis.RedisStores;

namespace EfScaling.IntegrationTests.Caching.Redis;

public sealed class RedisLoadTests(ITestOutputHelper output)
{
    private const int Callers = 32;
    private static readonly TimeSpan _duration = TimeSpan.FromSeconds(1.5);

    [ServerFact]
    public async Task Thirty_two_callers_share_one_connection()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var proxy = await TcpProxy.StartAsync(redis.Host, redis.Port);
        await using var near = await ConnectAsync(OptionsOf(redis));
        await using var far = await ConnectAsync(OptionsOf(redis) with { Endpoints = [new(proxy.Host, proxy.Port)] });
        await near.ReadAsync(Orders, Lines, Wildcard);
        await near.Store.WriteAsync(Entry, new byte[500], TimeSpan.FromMinutes(1), default);
        proxy.Delay = TimeSpan.FromMilliseconds(2.7) / 2;

        foreach (var (name, stores) in new[] { ("near", near), ("far", far) })
        {
            await LoadAsync($"{name}, one caller", LookAsync, stores, callers: 1);
            await LoadAsync($"{name}, awaiting", LookAsync, stores);
            await LoadAsync($"{name}, blocking", (s, until) => Task.Factory.StartNew(() => Look(s, until), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default), stores);
        }

        Assert.Equal(1, proxy.ConnectionCount);
    }

    private static int Look(RedisStores stores, long until)
    {
        var count = 0;
        for (; Stopwatch.GetTimestamp() < until; count++)
        {
            var reading = stores.Store.Read(Entry, [Orders, Lines, Wildcard]);
            Assert.Null(reading.Failure);
            Assert.Equal(500, reading.Entry!.Value.Length);
        }

        return count;
    }

    private static async Task<int> LookAsync(RedisStores stores, long until)
    {
        var count = 0;
        for (; Stopwatch.GetTimestamp() < until; count++)
        {
            var reading = await stores.Store.ReadAsync(Entry, [Orders, Lines, Wildcard], default);
            Assert.Null(reading.Failure);
            Assert.Equal(500, reading.Entry!.Value.Length);
        }

        return count;
    }

    private async Task LoadAsync(string name, Func<RedisStores, long, Task<int>> look, RedisStores stores, int callers = Callers)
    {
        var start = Stopwatch.GetTimestamp();
        var until = start + (long)(_duration.TotalSeconds * Stopwatch.Frequency);
        var allocated = GC.GetTotalAllocatedBytes();
        var processor = Environment.CpuUsage.TotalTime;
        var total = (await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => look(stores, until)))).Sum();

        output.WriteLine(FormattableString.Invariant(
            $"{name}: {total / Stopwatch.GetElapsedTime(start).TotalSeconds:F0} lookups/s, each {(GC.GetTotalAllocatedBytes() - allocated) / total} bytes and {(Environment.CpuUsage.TotalTime - processor).TotalMicroseconds / total:F1} us of this process's processor"));
        Assert.True(total > callers, "No lookup was done.");
    }
}
