using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Conditions of generated queries.</summary>
/// <param name="random">Decides.</param>
internal sealed class RowFilters(Random random)
{
    /// <summary>Makes a condition on values alone.</summary>
    public (string Shape, Expression<Func<Various, bool>> Condition) OnValues()
    {
        var (i, m, p, d, t, s, code) = (Pick(VarietyData.Ints), Pick(VarietyData.Moneys), Pick(VarietyData.Plains), Pick(VarietyData.Doubles), Pick(VarietyData.Times), Pick(VarietyData.Texts), Pick(VarietyData.Codes));
        var (utc, day, single, guid, span, l) = (DateTime.SpecifyKind(t, DateTimeKind.Utc), DateOnly.FromDateTime(t), (float)d, Pick(VarietyData.Guids), TimeSpan.FromSeconds(i), i * 3_000_000_000L);
        int?[] ints = [i, Pick(VarietyData.Ints), null];
        string?[] texts = [s, Pick(VarietyData.Texts), null];
        byte[] bytes = [255];
        (string, Expression<Func<Various, bool>>)[] all =
        [
            ("Int >", v => v.Int > i),
            ("Int ==", v => v.Int == i),
            ("Int !=", v => v.Int != i),
            ("Int is null", v => v.Int == null),
            ("Int in", v => ints.Contains(v.Int)),
            ("Int + Short", v => v.Int + v.Short > i),
            ("Int % 3", v => v.Int % 3 == 1),
            ("Int or Text", v => v.Int > i || v.Text == null),
            ("not both", v => !(v.Int > i && v.Flag == true)),
            ("Short <=", v => v.Short <= 3),
            ("Long <", v => v.Long < l),
            ("Money >=", v => v.Money >= m),
            ("Money in a span", v => v.Money > -10 && v.Money < m),
            ("Plain <", v => v.Plain < p),
            ("Double >", v => v.Double > d),
            ("Double is NaN", v => double.IsNaN(v.Double!.Value)),
            ("Single <", v => v.Single < single),
            ("Flag", v => v.Flag == true),
            ("not Flag", v => v.Flag != true),
            ("Guid ==", v => v.Guid == guid),
            ("Utc >", v => v.Utc > utc),
            ("Local <=", v => v.Local <= t),
            ("Day !=", v => v.Day != day),
            ("Time >", v => v.Time > new TimeOnly(1, 0)),
            ("Span >", v => v.Span > span),
            ("Text contains", v => v.Text!.Contains(code)),
            ("Text starts", v => v.Text!.StartsWith(code)),
            ("Text ==", v => v.Text == s),
            ("Text >", v => v.Text!.CompareTo(s) > 0),
            ("Text in", v => texts.Contains(v.Text)),
            ("Text length", v => v.Text!.Length > 1),
            ("Text == Plainest", v => v.Text == v.Plainest),
            ("Plainest <=", v => v.Plainest!.CompareTo(s) <= 0),
            ("Code ==", v => v.Code == code),
            ("Fixed ==", v => v.Fixed == "ab"),
            ("Mood", v => v.Mood == Mood.Glad),
            ("Bytes ==", v => v.Bytes == bytes),
            ("Numbers contain", v => v.Numbers!.Contains(2)),
            ("Numbers length", v => v.Numbers!.Length > 1),
            ("true", v => true),
        ];
        return all[random.Next(all.Length)];
    }

    /// <summary>Makes a condition on what else there is.</summary>
    public (string Shape, Func<VarietyContext, Expression<Func<Row, bool>>> Condition) OnOthers()
    {
        var (i, m) = (Pick(VarietyData.Ints), Pick(VarietyData.Moneys));
        var isRare = random.Next(12) == 0;
        (string, Func<VarietyContext, Expression<Func<Row, bool>>>)[] rare =
        [
            ("an owner with the same Int", c => r => c.Owners.Any(o => o.Int == r.Int)),
            ("more than the average of the same Int", c => r => r.Money > c.Items.Where(x => x.Int == r.Int).Average(x => x.Money)),
            ("a setting with the same Int", c => r => c.Settings.Any(x => x.Int == r.Int)),
        ];
        (string, Func<VarietyContext, Expression<Func<Row, bool>>>)[] usual =
        [
            ("exists item of K", c => r => c.Items.Any(x => x.OwnerId == r.K && x.Int > i)),
            ("no item of K", c => r => !c.Items.Any(x => x.OwnerId == r.K && x.Int > i)),
            ("all items of K", c => r => c.Items.Where(x => x.OwnerId == r.K).All(x => x.Money < m)),
            ("K in items", c => r => c.Items.Where(x => x.Int > i).Select(x => (int?)x.OwnerId).Contains(r.K)),
            ("K not in items", c => r => !c.Items.Where(x => x.Int > i).Select(x => (int?)x.OwnerId).Contains(r.K)),
            ("number of items of K", c => r => c.Items.Count(x => x.OwnerId == r.K) > 1),
            ("most of items of K", c => r => c.Items.Where(x => x.OwnerId == r.K).Max(x => x.Money) > r.Money),
            ("K in parts of the same Int", c => r => c.Parts.Any(x => x.OwnerId == r.K && x.Int == r.Int)),
            ("Text in texts of owners", c => r => c.Owners.Where(o => o.Int > i).Select(o => o.Text).Contains(r.Text)),
            ("Text not in texts of owners", c => r => !c.Owners.Where(o => o.Int > i).Select(o => o.Text).Contains(r.Text)),
            ("Plainest in texts of owners", c => r => c.Owners.Select(o => o.Plainest).Contains(r.Plainest)),
            ("Money in Money of items", c => r => c.Items.Where(x => x.Flag == true).Select(x => x.Money).Contains(r.Money)),
            ("Mood in moods of items", c => r => c.Items.Where(x => x.Int == i).Select(x => x.Mood).Contains(r.Mood)),
            ("Utc in times of items", c => r => c.Items.Where(x => x.Int == i).Select(x => x.Utc).Contains(r.Utc)),
            ("more than the average", c => r => r.Money > c.Items.Average(x => x.Money)),
            ("Int is the greatest", c => r => r.Int == c.Items.Max(x => x.Int)),
            ("Text is the least", c => r => r.Text == c.Items.Min(x => x.Text)),
            ("Int is the first", c => r => r.Int == c.Items.OrderBy(x => x.OwnerId).ThenBy(x => x.Id).Select(x => x.Int).FirstOrDefault()),
            ("Int is that of nobody", c => r => r.Int != c.Items.Where(x => x.OwnerId < 0).Select(x => x.Int).FirstOrDefault()),
            ("K among the best", c => r => c.Items.OrderByDescending(x => x.Int).ThenBy(x => x.OwnerId).ThenBy(x => x.Id).Take(5).Select(x => (int?)x.OwnerId).Contains(r.K)),
            ("Int among those of groups", c => r => c.Items.GroupBy(x => x.Int).Where(g => g.Count() > 2).Select(g => g.Key).Contains(r.Int)),
            ("Int among those of settings", c => r => c.Settings.Select(x => x.Int).Contains(r.Int)),
            ("a colour with the same Int", c => r => c.Colours.Any(x => x.Int == r.Int)),
            ("any owner at all", c => r => c.Owners.Any(x => x.Int == i) || r.Flag == true),
            ("any items and their parts", c => r => c.Items.Any(x => x.OwnerId == r.K && x.Parts.Any(p => p.Quantity > i))),
        ];
        return isRare ? rare[random.Next(rare.Length)] : usual[random.Next(usual.Length)];
    }

    private T Pick<T>(IReadOnlyList<T> values) => values[random.Next(values.Count)];
}
