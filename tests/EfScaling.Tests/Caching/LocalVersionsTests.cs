using EfScaling.Caching;
using EfScaling.Consistency;

namespace EfScaling.Tests.Caching;

public sealed class LocalVersionsTests
{
    private static readonly string[] _keys = ["a", "b"];

    private readonly ManualClock _clock = new();
    private readonly LocalVersions _versions = new();

    [Fact]
    public void Versions_that_were_read_are_known_until_a_change_is_reported()
    {
        Assert.False(_versions.TryStamp(_keys, 1, Moment.Never, out _));
        Learn(_versions.Mark(_clock.Now), 1, 2);
        Assert.True(_versions.TryStamp(_keys, 1, Moment.Never, out var stamp));
        Assert.Equal(CacheStamp.Of(Reading(1, 2), 1), stamp);

        _versions.Forget("b");

        Assert.False(_versions.TryStamp(_keys, 1, Moment.Never, out _));
        Assert.True(_versions.TryStamp(["a"], 1, Moment.Never, out _));
        _versions.Forget(null);
        Assert.False(_versions.TryStamp(["a"], 1, Moment.Never, out _));
    }

    [Theory]
    [InlineData("b")]
    [InlineData(null)]
    public void An_answer_to_a_question_from_before_a_report_brings_nothing_old_back(string? reported)
    {
        var mark = _versions.Mark(_clock.Now);
        _versions.Forget(reported);

        Learn(mark, 1, 2);

        Assert.False(_versions.TryStamp(_keys, 1, Moment.Never, out _));
        Assert.Equal(reported is not null, _versions.TryStamp(["a"], 1, Moment.Never, out _));
        Learn(_versions.Mark(_clock.Now), 1, 3);
        Assert.True(_versions.TryStamp(_keys, 1, Moment.Never, out _));
    }

    [Fact]
    public void A_report_of_another_version_keeps_no_answer_out()
    {
        var mark = _versions.Mark(_clock.Now);
        _versions.Forget("c");
        Learn(mark, 1, 2);
        Assert.True(_versions.TryStamp(_keys, 1, Moment.Never, out _));
    }

    [Fact]
    public void A_version_is_what_it_is_since_it_was_first_read_so()
    {
        var first = Learn(_versions.Mark(_clock.Now), 1, 2);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(first, Learn(_versions.Mark(_clock.Now), 1, 2));

        _clock.Advance(TimeSpan.FromSeconds(1));
        var second = Learn(_versions.Mark(_clock.Now), 1, 3);
        Assert.Equal(_clock.Now, second);

        // Known by the answer to a late question alone, it is no older than that answer.
        _clock.Advance(TimeSpan.FromSeconds(1));
        var mark = _versions.Mark(_clock.Now);
        _versions.Forget("b");
        Assert.Equal(_clock.Now, Learn(mark, 1, 3));
    }

    [Fact]
    public void Changes_of_more_versions_than_are_remembered_count_as_changes_of_all()
    {
        for (var i = 0; i < LocalVersions.MostChanges; i++)
        {
            _versions.Forget($"tag {i}");
        }

        Learn(_versions.Mark(_clock.Now), 1, 2);
        var mark = _versions.Mark(_clock.Now);
        _versions.Forget("tag 0");
        Assert.True(_versions.TryStamp(_keys, 1, Moment.Never, out _));

        _versions.Forget("one more");

        Assert.False(_versions.TryStamp(_keys, 1, Moment.Never, out _));
        Learn(mark, 1, 2);
        Assert.False(_versions.TryStamp(_keys, 1, Moment.Never, out _));
        Learn(_versions.Mark(_clock.Now), 1, 2);
        Assert.True(_versions.TryStamp(_keys, 1, Moment.Never, out _));
    }

    [Fact]
    public void Versions_of_two_lives_of_the_store_make_no_stamp()
    {
        _versions.Learn(["a"], CacheReading.Of(null, [1], 1), _versions.Mark(_clock.Now), _clock.Now);
        _versions.Learn(["b"], CacheReading.Of(null, [2], 2), _versions.Mark(_clock.Now), _clock.Now);
        Assert.False(_versions.TryStamp(_keys, 1, Moment.Never, out _));
        _versions.Learn(["a"], CacheReading.Of(null, [1], 2), _versions.Mark(_clock.Now), _clock.Now);
        Assert.True(_versions.TryStamp(_keys, 1, Moment.Never, out _));
    }

    [Fact]
    public void A_session_that_brings_writes_along_uses_what_the_store_was_asked_for_since()
    {
        Learn(_versions.Mark(_clock.Now), 1, 2);
        _clock.Advance(TimeSpan.FromSeconds(1));
        var began = _clock.Now;
        Assert.True(_versions.TryStamp(_keys, 1, Moment.Never, out _));
        Assert.False(_versions.TryStamp(_keys, 1, began, out _));

        // Asked before the session began, answered afterwards: the write may lie between.
        var mark = new VersionsMark(0, new Moment(began.Timestamp - 1));
        Learn(mark, 1, 2);
        Assert.False(_versions.TryStamp(_keys, 1, began, out _));

        Learn(_versions.Mark(_clock.Now), 1, 2);
        Assert.True(_versions.TryStamp(_keys, 1, began, out _));
    }

    private Moment Learn(VersionsMark mark, params long[] versions) => _versions.Learn(_keys, Reading(versions), mark, _clock.Now);

    private static CacheReading Reading(params long[] versions) => CacheReading.Of(null, versions, incarnation: 7);
}
