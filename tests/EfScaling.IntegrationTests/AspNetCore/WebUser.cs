using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>A user with a cookie jar of its own. Cookies belong to hosts, so both instances on the loopback address get the same.</summary>
public sealed class WebUser : IDisposable
{
    public const string CookieName = "efscaling-session";
    public const string HeaderName = "EfScaling-Session";

    private static readonly Uri _site = new("http://127.0.0.1/");
    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() } };

    private readonly SocketsHttpHandler _connections = new();

    public WebUser() => Client = new HttpClient(_connections);

    public HttpClient Client { get; }

    public string? Cookie
    {
        get => _connections.CookieContainer.GetCookies(_site)[CookieName]?.Value;
        set => _connections.CookieContainer.Add(_site, new Cookie(CookieName, value));
    }

    public void Forget()
    {
        foreach (Cookie cookie in _connections.CookieContainer.GetAllCookies())
        {
            cookie.Expired = true;
        }
    }

    public Task<WebRead> ReadAsync(WebInstance instance, string text, string path = "notes", string? header = null) =>
        SendAsync(HttpMethod.Get, instance, text, path, header);

    public async Task<WebRead> SendAsync(HttpMethod method, WebInstance instance, string text, string path, string? header = null)
    {
        using var request = new HttpRequestMessage(method, instance.At(path, text));
        if (header is not null)
        {
            request.Headers.Add(HeaderName, header);
        }

        using var response = await Client.SendAsync(request);
        return await ReadAsync(response);
    }

    public static async Task<WebRead> ReadAsync(HttpResponseMessage response)
    {
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        return (await response.Content.ReadFromJsonAsync<WebRead>(_json))!;
    }

    /// <summary>Writes on an instance.</summary>
    /// <returns>The token in the response's header.</returns>
    public async Task<string?> WriteAsync(WebInstance instance, string text, string path = "notes")
    {
        using var response = await Client.PostAsync(instance.At(path, text), content: null);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        return response.Headers.TryGetValues(HeaderName, out var values) ? values.Single() : null;
    }

    public void Dispose()
    {
        Client.Dispose();
        _connections.Dispose();
    }
}
