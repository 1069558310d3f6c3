using System.Buffers;
using System.Collections.Immutable;
using EfScaling.Caching;
using EfScaling.Caching.Rows;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Caching;

public sealed class QueryCacheOptionsTests
{
    public static TheoryData<string> Settings =>
        [.. typeof(QueryCacheOptions).GetProperties().Where(p => p.CanWrite && p.Name != "EqualityContract").Select(p => p.Name)];

    [Theory]
    [MemberData(nameof(Settings))]
    public void Every_setting_takes_part_in_equality(string setting)
    {
        var property = typeof(QueryCacheOptions).GetProperty(setting)!;
        var options = new QueryCacheOptions();
        var same = options with { };
        var changed = options with { };
        property.SetValue(changed, Another(property.PropertyType, property.GetValue(options)));

        Assert.Equal(options, same);
        Assert.Equal(options.GetHashCode(), same.GetHashCode());
        Assert.NotEqual(options, changed);
        Assert.NotEqual(changed, options);
    }

    [Fact]
    public void Options_that_each_context_makes_anew_are_equal()
    {
        static QueryCacheOptions Make(string tenant) =>
            new QueryCacheOptionsBuilder().Redis("localhost").VaryBy(_ => tenant).Codec("money", new MoneyCodec()).Options;

        Assert.Equal(Make("one"), Make("two"));
        Assert.Equal("two", Make("two").VaryBy!(null!));
    }

    [Fact]
    public void A_codec_that_cannot_be_used_is_refused_when_it_is_given()
    {
        var builder = new QueryCacheOptionsBuilder().Codec("money", new MoneyCodec());

        Assert.Throws<ArgumentException>(() => builder.Codec("money again", new MoneyCodec()));
        Assert.Throws<ArgumentException>(() => builder.Codec("number", new NumberCodec()));
    }

    [Fact]
    public void Values_out_of_range_name_what_is_wrong()
    {
        var builder = new QueryCacheOptionsBuilder();

        Assert.Contains("a b", Assert.Throws<ArgumentException>(() => builder.Prefix("a b")).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.TimeToLive(TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.CacheAllQueries(TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.ServeCachedWhenDown(TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.LocalMemory(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.MaxResult(rows: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.MaxConcurrentLoads(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.WriteLease(TimeSpan.FromHours(1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.OnPublishFailure((PublishFailure)7));
        Assert.DoesNotContain("secret", Assert.ThrowsAny<ArgumentException>(() => builder.Redis("localhost,nonsense=secret")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, 100, 40)]
    [InlineData(null, 10, 4)]
    [InlineData(null, 4, 1)]
    [InlineData(null, 1, 1)]
    [InlineData(200, 10, 200)]
    [InlineData(1, 100, 1)]
    public void Loads_leave_most_of_the_pool_to_others_unless_it_is_said(int? set, int poolSize, int loads)
    {
        var builder = new QueryCacheOptionsBuilder();
        var options = set is { } limit ? builder.MaxConcurrentLoads(limit).Options : builder.Options;
        Assert.Equal(loads, options.LoadsOf(poolSize));
    }

    private static object Another(Type type, object? value) => value switch
    {
        TimeSpan time => time + 1.Seconds(),
        int number => number + 1,
        long number => number + 1,
        bool isOn => !isOn,
        string text => text + "x",
        Enum => Enum.GetValues(type).Cast<object>().First(v => !v.Equals(value)),
        CacheStoreSource => CacheStoreSource.Distributed(null),
        ImmutableArray<CodecRegistration> => ImmutableArray.Create(new CodecRegistration("x", typeof(Money), c => c)),
        null when type == typeof(int?) => 1,
        null when type == typeof(TimeSpan?) => 1.Seconds(),
        null when type == typeof(Func<DbContext, string?>) => (Func<DbContext, string?>)(_ => null),
        _ => throw new InvalidOperationException($"Say here how a setting of type '{type.Name}' is changed."),
    };

    private sealed record Money(int Cents);

    private sealed class MoneyCodec : ICacheCodec<Money>
    {
        public void Write(IBufferWriter<byte> writer, Money value) => writer.Write(BitConverter.GetBytes(value.Cents));

        public Money Read(ReadOnlySpan<byte> bytes) => new(BitConverter.ToInt32(bytes));
    }

    private sealed class NumberCodec : ICacheCodec<int>
    {
        public void Write(IBufferWriter<byte> writer, int value) => writer.Write(BitConverter.GetBytes(value));

        public int Read(ReadOnlySpan<byte> bytes) => BitConverter.ToInt32(bytes);
    }
}
