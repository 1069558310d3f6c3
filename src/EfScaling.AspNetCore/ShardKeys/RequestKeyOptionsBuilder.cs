using System.Globalization;
using EfScaling.Sharding;
using Microsoft.AspNetCore.Http;

namespace EfScaling.AspNetCore.ShardKeys;

/// <summary>Says where requests bring the shard key of a context: <c>k =&gt; k.FromRoute("tenant")</c>.</summary>
/// <remarks>
/// <para>Of several places all that bring a key must bring the same. A name for each column, in the order of the key; with a map of a prefix length those of the prefix are enough.</para>
/// <para>
/// Routes and headers hold what the caller chose: check there that the user may see the tenant, or name a claim beside them, which they then have to agree with, and demand by
/// an authorization policy that the user has it.
/// </para>
/// <para>Each call returns the same builder. Not thread-safe; used only inside the configuring call.</para>
/// </remarks>
public sealed class RequestKeyOptionsBuilder
{
    internal RequestKeyOptionsBuilder()
    {
    }

    internal RequestKeyOptions Options { get; private set; } = new();

    /// <summary>Takes the key from values of the route: <c>/tenants/{tenant}/orders</c>.</summary>
    /// <param name="names">The name of a route value for each column of the key.</param>
    /// <exception cref="ArgumentException">There is no name, or more than a key has columns, or one is empty.</exception>
    public RequestKeyOptionsBuilder FromRoute(params string[] names) =>
        Add("route value", names, (context, name) => [Convert.ToString(context.Request.RouteValues[name], CultureInfo.InvariantCulture)]);

    /// <summary>Takes the key from claims of the user, for whom authentication vouches.</summary>
    /// <param name="types">The type of a claim for each column of the key.</param>
    /// <inheritdoc cref="FromRoute" path="/exception"/>
    public RequestKeyOptionsBuilder FromClaim(params string[] types) => Add("claim", types, (context, type) => context.User.FindAll(type).Select(c => c.Value));

    /// <summary>Takes the key from headers of the request.</summary>
    /// <param name="names">The name of a header for each column of the key.</param>
    /// <inheritdoc cref="FromRoute" path="/exception"/>
    public RequestKeyOptionsBuilder FromHeader(params string[] names) => Add("header", names, (context, name) => context.Request.Headers[name]);

    /// <summary>Takes the key from wherever the application finds it, such as the host name.</summary>
    /// <param name="read">Returns the key, or <see langword="null"/> if the request brings none. Called once for each request that uses the context.</param>
    public RequestKeyOptionsBuilder From(Func<HttpContext, ShardKey?> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        return With(Options with { Sources = Options.Sources.Add(new RequestKeySource("the application's rule", null, read)) });
    }

    /// <summary>Sets the shard map that the key belongs to, if the model has several.</summary>
    /// <param name="name">The name as in <c>IsSharded(key, map: name)</c>.</param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public RequestKeyOptionsBuilder Map(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return With(Options with { Map = name });
    }

    /// <summary>Sets the status of the answer to a request without a usable key; 400 by default.</summary>
    /// <param name="status">From 400 to 499: 404 suits keys in the route.</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is none of a client's error.</exception>
    public RequestKeyOptionsBuilder RefuseWith(int status) =>
        status is >= 400 and <= 499
            ? With(Options with { RefusalStatus = status })
            : throw new ArgumentOutOfRangeException(nameof(status), status, "RefuseWith takes the status of an error of the client, from 400 to 499.");

    /// <summary>Gives a request that brings no key a context that spans all shards; one with a key that cannot be used is refused all the same.</summary>
    public RequestKeyOptionsBuilder SpanWithoutKey() => With(Options with { SpansWithoutKey = true });

    private RequestKeyOptionsBuilder Add(string kind, string[] names, Func<HttpContext, string, IEnumerable<string?>> read)
    {
        ArgumentNullException.ThrowIfNull(names);
        if (names.Length is 0 or > ShardKey.MaxColumns || names.Any(string.IsNullOrWhiteSpace))
        {
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"A shard key was to be taken from {names.Length} names of a {kind}. Give one name, not empty, for each of its 1 to {ShardKey.MaxColumns} columns."), nameof(names));
        }

        string[] fixedNames = [.. names];
        var place = $"{kind} '{string.Join("', '", fixedNames)}'";
        return With(Options with { Sources = Options.Sources.Add(new RequestKeySource(place, context => [.. fixedNames.Select(n => read(context, n))])) });
    }

    private RequestKeyOptionsBuilder With(RequestKeyOptions options)
    {
        Options = options;
        return this;
    }
}
