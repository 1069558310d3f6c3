using EfScaling.Testing;

namespace EfScaling.IntegrationTests.Testing;

public sealed class EventuallyTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Asks_again_until_the_condition_holds()
    {
        var asked = 0;
        await Eventually.ThatAsync(() => ++asked == 3, TimeSpan.FromSeconds(5), "the third question", Ct);

        Assert.Equal(3, asked);
    }

    [Fact]
    public async Task Names_what_did_not_happen_before_the_deadline()
    {
        var late = await Assert.ThrowsAsync<TimeoutException>(
            () => Eventually.ThatAsync(() => false, TimeSpan.FromMilliseconds(30), "the impossible", Ct));

        Assert.Contains("the impossible", late.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Passes_on_an_error_of_the_condition() =>
        await Assert.ThrowsAsync<FormatException>(() => Eventually.ThatAsync(() => Task.FromException<bool>(new FormatException()), TimeSpan.FromSeconds(5), "an error", Ct));
}
