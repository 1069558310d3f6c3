using System.Text.Json.Serialization;
using EfScaling.AspNetCore.Sessions;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.SignalR;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>One instance of a web application on a port of its own, with services and so a monitor of its own.</summary>
public sealed class WebInstance : IAsyncDisposable
{
    private readonly WebApplication _app;

    private WebInstance(WebApplication app, EventLog log) => (_app, Log) = (app, log);

    public EventLog Log { get; }

    public IServiceProvider Services => _app.Services;

    public static async Task<WebInstance> StartAsync(PostgresCluster cluster, Action<ConsistencySessionOptions>? configure = null)
    {
        var log = new EventLog();
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.Replace(ServiceDescriptor.Singleton<ILoggerFactory>(log));
        builder.Services.AddSingleton(cluster);
        builder.Services.AddSingleton<SlowRequest>();
        builder.Services.AddDbContext<BlogContext>(o => o
            .UseNpgsql(cluster.Primary.ConnectionString)
            .UseLoggerFactory(log)
            .UseReadReplicas(r => r.AddReplica(cluster.Standbys[0].ConnectionString).MaxStaleness(TimeSpan.FromMinutes(5))));
        builder.Services.AddConsistencySessions(o =>
        {
            o.AddSigningKey("MDEyMzQ1Njc4OWFiY2RlZg==");
            configure?.Invoke(o);
        });
        builder.Services.ConfigureHttpJsonOptions(o => o.SerializerOptions.Converters.Add(new JsonStringEnumConverter()));
        builder.Services.AddControllers().AddApplicationPart(typeof(NotesController).Assembly).AddJsonOptions(o => o.JsonSerializerOptions.Converters.Add(new JsonStringEnumConverter()));
        builder.Services.AddSignalR(o => o.AddFilter<ConsistencyHubFilter>()).AddJsonProtocol(o => o.PayloadSerializerOptions.Converters.Add(new JsonStringEnumConverter()));
        builder.Services.AddProblemDetails();

        var app = builder.Build();
        app.UseExceptionHandler("/error");
        app.UseConsistencySessions();
        app.UseRouting();
        app.MapNotes();
        app.MapControllers();
        app.MapHub<NotesHub>("/hub");
        await app.StartAsync();
        return new WebInstance(app, log);
    }

    public Uri At(string path, string? text = null, string scheme = "http") =>
        new UriBuilder(_app.Urls.Single()) { Scheme = scheme, Path = path, Query = text is null ? string.Empty : $"?text={Uri.EscapeDataString(text)}" }.Uri;

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
