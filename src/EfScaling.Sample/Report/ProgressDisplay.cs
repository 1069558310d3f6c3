using System.Globalization;
using Spectre.Console;

namespace EfScaling.Sample.Report;

/// <summary>Shows what is going on: bars on a terminal, plain lines when the output is redirected.</summary>
internal sealed class ProgressDisplay(IAnsiConsole console, TimeProvider clock)
{
    private static readonly TimeSpan RefreshInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);

    private readonly bool _isTerminal = console.Profile.Capabilities.Interactive && console.Profile.Capabilities.Ansi && console.Profile.Out.IsTerminal;

    /// <summary>Shows one step of which only beginning and end are known.</summary>
    public Task ShowAsync(string title, Func<Task> work) => ShowAsync(title, _ => work());

    /// <summary>Shows one step that reports which part of it is done.</summary>
    public async Task ShowAsync(string title, Func<Action<double>, Task> work)
    {
        var startedAt = clock.GetTimestamp();
        if (_isTerminal)
        {
            await console.Progress().Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
                .StartAsync(async bars =>
                {
                    var bar = bars.AddTask(Markup.Escape(title));
                    await work(part => bar.Value = 100 * part);
                    bar.Value = 100;
                });
            return;
        }

        console.WriteLine($"{title} ...");
        await work(_ => { });
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{title}: done in {clock.GetElapsedTime(startedAt).TotalSeconds:0.0} s"));
    }

    /// <summary>Shows a load while it runs.</summary>
    /// <param name="title">What runs.</param>
    /// <param name="duration">How long it will run.</param>
    /// <param name="state">Returns in words how it goes.</param>
    /// <param name="load">The running load.</param>
    public Task ShowLoadAsync(string title, TimeSpan duration, Func<string> state, Task load) =>
        ShowAsync(title, async progress =>
        {
            var startedAt = clock.GetTimestamp();
            var saidAt = startedAt;
            while (await Task.WhenAny(load, Task.Delay(RefreshInterval, clock)) != load)
            {
                progress(Math.Min(1, clock.GetElapsedTime(startedAt) / duration));
                if (!_isTerminal && clock.GetElapsedTime(saidAt) >= PlainInterval)
                {
                    saidAt = clock.GetTimestamp();
                    console.WriteLine($"  {state()}");
                }
            }

            await load;
        });

    /// <summary>Keeps a table current until the load ends; writes a line now and then when the output is redirected.</summary>
    public async Task ShowTableAsync(Func<RunReport> report, Func<string> state, Task load)
    {
        if (_isTerminal)
        {
            await console.Live(ReportTable.Of(report())).StartAsync(async live =>
            {
                while (await Task.WhenAny(load, Task.Delay(RefreshInterval, clock)) != load)
                {
                    live.UpdateTarget(ReportTable.Of(report()));
                }
            });
        }
        else
        {
            while (await Task.WhenAny(load, Task.Delay(PlainInterval, clock)) != load)
            {
                console.WriteLine($"  {state()}");
            }
        }

        await load;
    }
}
