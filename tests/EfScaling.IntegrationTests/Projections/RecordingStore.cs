using System.Collections.Concurrent;
using EfScaling.Projections;

namespace EfScaling.IntegrationTests.Projections;

/// <summary>A store in memory that keeps every call, and fails when it is told to.</summary>
internal sealed class RecordingStore : IProjectionStore<OrderView>
{
    private readonly ConcurrentDictionary<string, int> _underWay = new();
    private readonly ConcurrentDictionary<string, OrderView> _views = new();

    public ConcurrentQueue<(string Key, long Version, string? View)> Calls { get; } = new();

    public int Overlaps => _overlaps;

    private int _overlaps;

    /// <summary>Runs behind each write, before the dispatcher goes on.</summary>
    public Func<CancellationToken, Task> AfterWrite { get; set; } = _ => Task.CompletedTask;

    public IReadOnlyList<string> Views => [.. _views.OrderBy(v => v.Value.OrderId).Select(v => v.Value.ToString())];

    public Task<OrderView?> FindAsync(string key, CancellationToken cancellationToken = default) => Task.FromResult(_views.GetValueOrDefault(key));

    public Task WriteAsync(string key, OrderView view, long version, CancellationToken cancellationToken = default) =>
        CallAsync(key, version, view, cancellationToken);

    public Task RemoveAsync(string key, long version, CancellationToken cancellationToken = default) => CallAsync(key, version, null, cancellationToken);

    private async Task CallAsync(string key, long version, OrderView? view, CancellationToken cancellationToken)
    {
        if (_underWay.AddOrUpdate(key, 1, (_, n) => n + 1) > 1)
        {
            Interlocked.Increment(ref _overlaps);
        }

        try
        {
            await Task.Yield();
            Calls.Enqueue((key, version, view?.ToString()));
            if (view is null)
            {
                _views.TryRemove(key, out _);
            }
            else
            {
                _views[key] = view;
            }

            await AfterWrite(cancellationToken);
        }
        finally
        {
            _underWay.AddOrUpdate(key, 0, (_, n) => n - 1);
        }
    }
}
