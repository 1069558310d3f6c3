using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using EfScaling.Diagnostics;
using EfScaling.Projections;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Docs;

/// <summary>What docs/projections.md says exists, and what exists it says.</summary>
public partial class ProjectionDocumentationTests
{
    private static readonly string Page = ShownCode.Read("docs", "projections.md");

    [Fact]
    public void Every_piece_of_code_is_compiled()
    {
        var compiled = ShownCode.Flat(ShownCode.Read("tests", "EfScaling.Tests", "Docs", "ProjectionSnippets.cs"));
        string[] shown = [.. ShownCode.In(Page), .. ShownCode.In(ShownCode.Read("README.md")).Where(c => c.Contains("Projection", StringComparison.Ordinal))];

        Assert.True(shown.Length > 4);
        Assert.All(shown, code => Assert.Contains(ShownCode.Flat(code), compiled, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_setting_and_call_is_named()
    {
        string[] names =
        [
            .. new[] { typeof(ProjectionBuilder<,>), typeof(ProjectionBuilder<,,>), typeof(ProjectionDatabaseFacadeExtensions), typeof(ProjectionModelBuilderExtensions) }
                .SelectMany(t => t.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly))
                .Where(m => !m.IsSpecialName && !m.IsDefined(typeof(CompilerGeneratedAttribute)))
                .Select(m => m.Name)
                .Distinct(),
            .. Enum.GetNames<ProjectionWait>(),
        ];

        Assert.True(names.Length > 15);
        Assert.All(names, name => Assert.Matches($@"\b{name}\b", Page));
    }

    [Fact]
    public void Every_event_is_named_with_its_id()
    {
        var events = typeof(EfScalingEventId).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(f => (f.Name, Id: (int)f.GetRawConstantValue()!))
            .Where(e => e.Id is >= 720_400 and < 720_500)
            .ToList();

        Assert.NotEmpty(events);
        Assert.All(events, e => Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"`{e.Name}` ({e.Id})"), Page, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_instrument_is_named()
    {
        string[] names = [.. Instrument().Matches(ShownCode.Read("src", "EfScaling", "Diagnostics", "ProjectionMeter.cs")).Select(m => m.Value)];

        Assert.True(names.Length > 5);
        Assert.All(names, name => Assert.Contains($"`{name.Trim('"')}`", Page, StringComparison.Ordinal));
    }

    [GeneratedRegex("\"efscaling\\.projections\\.[a-z.]+\"")]
    private static partial Regex Instrument();
}
