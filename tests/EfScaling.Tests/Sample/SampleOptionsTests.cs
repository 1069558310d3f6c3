using EfScaling.Sample;
using EfScaling.Sample.Servers;

namespace EfScaling.Tests.Sample;

public class SampleOptionsTests
{
    [Fact]
    public void Runs_15_seconds_with_8_workers_unless_told_otherwise()
    {
        Assert.Equal(new SampleOptions(), SampleOptions.Parse([]));
        Assert.Equal((TimeSpan.FromSeconds(15), 8, false), (new SampleOptions().Duration, new SampleOptions().Workers, new SampleOptions().Once));
    }

    [Fact]
    public void Reads_every_option()
    {
        var options = SampleOptions.Parse(["--once", "--seconds", "3", "--workers", "4", "--lag", "0", "--json", "numbers.json"]);

        Assert.Equal(
            new SampleOptions { Once = true, Duration = TimeSpan.FromSeconds(3), Workers = 4, Lag = TimeSpan.Zero, JsonFile = Path.GetFullPath("numbers.json") },
            options);
    }

    [Theory]
    [InlineData("--seconds")]
    [InlineData("--seconds", "--once")]
    [InlineData("--seconds", "0")]
    [InlineData("--seconds", "3601")]
    [InlineData("--seconds", "-1")]
    [InlineData("--seconds", "1.5")]
    [InlineData("--workers", "101")]
    [InlineData("--lag", "2001")]
    [InlineData("--json")]
    [InlineData("--json", "no/such/folder/numbers.json")]
    [InlineData("--twice")]
    public void Refuses_what_it_cannot_do_by_the_name_of_the_argument(params string[] arguments)
    {
        var exception = Assert.Throws<SampleException>(() => SampleOptions.Parse(arguments));

        Assert.Contains(arguments[0], exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refuses_a_Redis_that_cannot_be_read_without_repeating_it()
    {
        var exception = await Assert.ThrowsAsync<SampleException>(
            () => SampleServers.StartAsync(n => n == "EFSCALING_REDIS" ? "cache1,password=secret,color=blue" : null, CancellationToken.None));

        Assert.StartsWith("EFSCALING_REDIS", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host=a", null, "EFSCALING_REPLICA_1")]
    [InlineData(null, "Host=b", "EFSCALING_PRIMARY")]
    [InlineData("Host=a;secret", "Host=b", "EFSCALING_PRIMARY")]
    [InlineData("Host=a", "Database=b", "EFSCALING_REPLICA_1")]
    [InlineData("Host=a,b", "Host=c", "EFSCALING_PRIMARY")]
    public async Task Refuses_servers_that_are_only_half_named(string? primary, string? replica, string culprit)
    {
        var variables = new Dictionary<string, string?> { ["EFSCALING_PRIMARY"] = primary, ["EFSCALING_REPLICA_1"] = replica };

        var exception = await Assert.ThrowsAsync<SampleException>(() => SampleServers.StartAsync(n => variables.GetValueOrDefault(n), CancellationToken.None));

        Assert.Contains(culprit, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", exception.Message, StringComparison.Ordinal);
    }
}
