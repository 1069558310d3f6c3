using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.Extensions.Logging;

namespace EfScaling.Tests.Caching;

public sealed class CachePublisherTests : IAsyncDisposable
{
    private const string Prefix = "efs:{1}:";
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(20);

    private readonly UnreliableCacheStore _store = new();
    private readonly EventCounter _events = new();
    private readonly LocalVersions _versions = new();
    private readonly CachePublisher _publisher;
    private readonly CacheState _state;

    public CachePublisherTests()
    {
        _publisher = new CachePublisher(_store, _versions, TimeProvider.System, _events);
        var schema = _store.Read(null, [CacheState.SchemaKeyOf(Prefix)]);
        _state = new CacheState(new ServerIdentity(7, 1), Prefix, new TableCatalog([], [], []), schema.Versions[0], schema.Incarnation);
    }

    public ValueTask DisposeAsync() => _publisher.DisposeAsync();

    [Fact]
    public async Task Many_writes_that_the_store_was_not_told_of_are_told_as_one()
    {
        await _publisher.OpenAsync(Prefix);
        _store.Failure = "down";
        for (var i = 0; i < 5_000; i++)
        {
            string[] keys = [$"{Prefix}v:{i % 3}", $"{Prefix}v:all"];
            _publisher.UnderWay.Add(keys);
            await _publisher.PublishAsync(_state, keys, new CacheIntent($"{Prefix}i", $"{i}", keys, _patience));
        }

        Assert.True(_publisher.UnderWay.ContainsAny([$"{Prefix}v:0"]));
        Assert.Equal(5_000, _events.Count(EfScalingEventId.WriteNotPublished));
        Assert.Equal(1, _events.Count(EfScalingEventId.WriteNotPublished, LogLevel.Warning));

        _store.Failure = null;

        string[] all = [$"{Prefix}v:0", $"{Prefix}v:1", $"{Prefix}v:2", $"{Prefix}v:all"];
        await Eventually.ThatAsync(() => !_publisher.UnderWay.ContainsAny(all), _patience, "all to be published");
        await Eventually.ThatAsync(() => _events.Count(EfScalingEventId.WritePublishedLate) > 0, _patience, "the report of that");

        // The first write may have been on its way alone.
        Assert.InRange(_store.Bumps.ToList().Count(b => b.Count > 0), 1, 2);
    }

    [Fact]
    public async Task A_write_during_the_publication_of_earlier_ones_is_published_after_them()
    {
        await _publisher.OpenAsync(Prefix);
        string[] keys = [$"{Prefix}v:a"];
        for (var round = 0; round < 3; round++)
        {
            _store.Failure = "down";
            _publisher.UnderWay.Add(keys);
            await _publisher.PublishAsync(_state, keys, null);
            _publisher.UnderWay.Add(keys);
            _store.Failure = null;
            await _publisher.PublishAsync(_state, keys, null);
            await Eventually.ThatAsync(() => !_publisher.UnderWay.ContainsAny(keys), _patience, "all to be published");
        }
    }

    [Fact]
    public async Task More_versions_than_one_bump_takes_are_all_published()
    {
        await _publisher.OpenAsync(Prefix);
        _store.Failure = "down";
        string[] keys = [.. Enumerable.Range(0, 2_500).Select(i => $"{Prefix}t:{i}")];
        _publisher.UnderWay.Add(keys);
        await _publisher.PublishAsync(_state, keys, null);

        _store.Failure = null;

        await Eventually.ThatAsync(() => !_publisher.UnderWay.ContainsAny(keys), _patience, "all to be published");
        Assert.All(_store.Bumps, b => Assert.InRange(b.Count, 1, 1_000));
    }

    [Fact]
    public async Task What_a_store_that_throws_was_not_told_when_it_was_opened_it_is_told_later()
    {
        _publisher.Owe();
        _store.Throws = true;

        await _publisher.OpenAsync(Prefix);

        string[] everything = [CacheState.DataKeyOf(Prefix), CacheState.SchemaKeyOf(Prefix)];
        Assert.True(_publisher.UnderWay.ContainsAny(everything));
        _store.Throws = false;
        await Eventually.ThatAsync(() => !_publisher.UnderWay.ContainsAny(everything), _patience, "all to be published");
        Assert.Contains(_store.Bumps, b => b.Order().SequenceEqual(everything.Order()));
    }

    private sealed class EventCounter : ILogger
    {
        private readonly List<(int Id, LogLevel Level)> _events = [];

        public int Count(int id, LogLevel least = LogLevel.Trace)
        {
            lock (_events)
            {
                return _events.Count(e => e.Id == id && e.Level >= least);
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull =>
            null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_events)
            {
                _events.Add((eventId.Id, logLevel));
            }
        }
    }
}
