using BenchmarkDotNet.Attributes;
using EfScaling.Benchmarks.Servers;
using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Benchmarks.Micro;

/// <summary>A context that configures itself, with and without replicas; no server takes part.</summary>
[MemoryDiagnoser]
public class ContextCreationBenchmarks
{
    private const string Primary = "Host=primary;Database=app;Username=app;Password=secret";
    private static readonly string[] _replicas = ["Host=replica1;Database=app;Username=app;Password=secret"];

    [Benchmark(Baseline = true)]
    public IModel Plain()
    {
        using var context = new SelfConfiguredContext(Primary, []);
        return context.Model;
    }

    [Benchmark]
    public IModel WithReplicas()
    {
        using var context = new SelfConfiguredContext(Primary, _replicas);
        return context.Model;
    }
}
