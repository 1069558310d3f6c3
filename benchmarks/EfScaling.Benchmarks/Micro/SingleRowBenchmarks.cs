using BenchmarkDotNet.Attributes;
using EfScaling.Benchmarks.Servers;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Micro;

/// <summary>One row by key through a kept context: plain EF on a standby, and routed to the same standby.</summary>
[MemoryDiagnoser]
public class SingleRowBenchmarks
{
    private const int Id = 42;

    private ItemServers _servers = null!;
    private ItemContext _plain = null!;
    private ItemContext _routed = null!;

    [GlobalSetup]
    public async Task StartAsync()
    {
        _servers = await ItemServers.StartAsync(standbys: 1);
        _plain = ContextStyle.Plain(_servers)[0].Rent();
        var routed = ContextStyle.Routed(_servers)[0];
        await ItemServers.WarmUpAsync(routed, replicas: 1);
        _routed = routed.Rent();
    }

    [GlobalCleanup]
    public async Task EndAsync()
    {
        await _plain.DisposeAsync();
        await _routed.DisposeAsync();
        await _servers.DisposeAsync();
    }

    [Benchmark(Baseline = true)]
    public Item Plain() => _plain.Items.AsNoTracking().First(i => i.Id == Id);

    [Benchmark]
    public Item Routed() => _routed.Items.AsNoTracking().First(i => i.Id == Id);

    [Benchmark]
    public Task<Item> PlainAsync() => _plain.Items.AsNoTracking().FirstAsync(i => i.Id == Id);

    [Benchmark]
    public Task<Item> RoutedAsync() => _routed.Items.AsNoTracking().FirstAsync(i => i.Id == Id);
}
