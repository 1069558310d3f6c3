using System.Globalization;
using System.Linq.Expressions;
using EfScaling.Projections;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Projections;

public sealed class ProjectionKeyTests
{
    [Fact]
    public void Keys_come_back_from_their_text_in_every_culture()
    {
        var culture = CultureInfo.CurrentCulture;
        try
        {
            // Its minus sign is another character.
            CultureInfo.CurrentCulture = new CultureInfo("sv-SE");
            Assert.Equal("-12", ProjectionKey.Format(-12));
            Assert.Equal(-12, ProjectionKey.Parse<int>("-12"));
            Assert.Equal(long.MinValue, ProjectionKey.Parse<long>(ProjectionKey.Format(long.MinValue)));
            Assert.Equal(short.MinValue, ProjectionKey.Parse<short>(ProjectionKey.Format(short.MinValue)));
            Assert.Equal(" a'\"ö", ProjectionKey.Parse<string>(ProjectionKey.Format(" a'\"ö")));
            var id = Guid.NewGuid();
            Assert.Equal(id, ProjectionKey.Parse<Guid>(ProjectionKey.Format(id)));
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }

    [Fact]
    public void Keys_with_several_texts_for_one_value_are_refused()
    {
        Assert.Throws<ArgumentException>(() => ProjectionKey.Format(1.0m));
        Assert.Throws<ArgumentException>(() => ProjectionKey.Format(DateTime.UnixEpoch));
        Assert.Throws<ArgumentException>(() => ProjectionKey.Check(typeof(DateTimeOffset)));
    }

    [Fact]
    public void Text_that_is_no_key_is_refused() => Assert.Throws<FormatException>(() => ProjectionKey.Parse<int>("1,000"));

    [Fact]
    public void Lambdas_name_properties()
    {
        Assert.Equal("Id", NameOf<int>(e => e.Id));
        Assert.Equal("OrderId", NameOf<int>(e => e.OrderId!.Value));
        Assert.Equal("OrderId", NameOf<int>(e => (int)e.OrderId!));
        Assert.Equal("Shadow", NameOf<int>(e => EF.Property<int>(e, "Shadow")));
    }

    [Fact]
    public void Lambdas_that_compute_are_refused()
    {
        Assert.Throws<ArgumentException>(() => NameOf<int>(e => e.Id + 1));
        Assert.Throws<ArgumentException>(() => NameOf<int>(e => e.Text.Length));
        Assert.Throws<ArgumentException>(() => NameOf<int>(_ => 1));
    }

    private static string NameOf<TKey>(Expression<Func<Row, TKey>> selector) => KeyProperty.NameOf(selector);

    private sealed class Row
    {
        public int Id { get; set; }

        public int? OrderId { get; set; }

        public string Text { get; set; } = string.Empty;
    }
}
