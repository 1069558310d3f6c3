using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using EfScaling.AspNetCore;
using EfScaling.AspNetCore.ShardKeys;
using EfScaling.IntegrationTests.Sharding;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>Each request works on the shard of the key that it brings, and one without a usable key is refused.</summary>
public sealed class ShardedShopTests(ShopDatabases databases) : IClassFixture<ShopDatabases>
{
    [Theory]
    [InlineData("minimal")]
    [InlineData("mvc")]
    public async Task A_request_works_on_the_shard_of_its_route_alone(string style)
    {
        await using var shop = await ShardedShop.StartAsync(databases, k => k.FromRoute("tenant"));
        await Parallel.ForAsync(1, ShopDatabases.Customers + 1, async (id, token) =>
        {
            var answer = await shop.Client.GetFromJsonAsync<ShopAnswer>(new Uri($"/{style}/{id}", UriKind.Relative), token);
            Assert.Equal(ShardOf(id), answer!.Shard);
            Assert.Equal(Enumerable.Range(1, ShopDatabases.Customers).Where(i => ShardOf(i) == answer.Shard), answer.Customers);
        });
    }

    [Fact]
    public async Task A_request_cannot_reach_another_shard()
    {
        await using var shop = await ShardedShop.StartAsync(databases, k => k.FromRoute("tenant"));
        var other = Enumerable.Range(1, ShopDatabases.Customers).First(i => ShardOf(i) != ShardOf(1));
        using var refused = await shop.Client.GetAsync(new Uri($"/other/1/{other}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.InternalServerError, refused.StatusCode);
        Assert.Contains(shop.Log.Events, e => e.Message.Contains($"bound to the shard '{ShardOf(1)}'", StringComparison.Ordinal));
        Assert.Equal("customer 1", await shop.Client.GetStringAsync(new Uri("/other/1/1", UriKind.Relative)));
    }

    [Fact]
    public async Task Headers_claims_and_rules_of_the_application_bring_the_key_as_well()
    {
        await using (var shop = await ShardedShop.StartAsync(databases, k => k.FromHeader("X-Tenant")))
        {
            Assert.Equal(ShardOf(7), (await AskAsync(shop, "/minimal", ("X-Tenant", "7"))).Shard);
        }

        await using (var shop = await ShardedShop.StartAsync(databases, k => k.FromClaim("tenant_id")))
        {
            Assert.Equal(ShardOf(8), (await AskAsync(shop, "/minimal", ("Claims", "8"))).Shard);
        }

        await using (var shop = await ShardedShop.StartAsync(databases, k => k.From(c => ShardKey.Of(c.Request.Path.Value!.Length))))
        {
            Assert.Equal(ShardOf("/minimal".Length), (await AskAsync(shop, "/minimal")).Shard);
        }
    }

    [Theory]
    [InlineData("/minimal", null, null, "it brings no route value 'tenant' or claim 'tenant_id'", "Missing")]
    [InlineData("/minimal/ada", null, null, "its route value 'tenant' is not of type Int4", "Malformed")]
    [InlineData("/minimal/99999999999", null, null, "its route value 'tenant' is not of type Int4", "Malformed")]
    [InlineData("/mvc/ada", null, null, "its route value 'tenant' is not of type Int4", "Malformed")]
    [InlineData("/minimal/4711", "4712", null, "its route value 'tenant' or claim 'tenant_id' differ", "Contradictory")]
    [InlineData("/minimal", "4711", "4712", "it brings several values of the claim 'tenant_id'", "Contradictory")]
    public async Task A_key_that_cannot_be_used_is_answered_and_not_repeated(string path, string? claim, string? secondClaim, string explanation, string reason)
    {
        await using var shop = await ShardedShop.StartAsync(databases, k => k.FromRoute("tenant").FromClaim("tenant_id"));
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var value in new[] { claim, secondClaim }.OfType<string>())
        {
            request.Headers.Add("Claims", value);
        }

        using var response = await shop.Client.SendAsync(request);

        var body = await response.Content.ReadAsStringAsync();
        Assert.Equal((HttpStatusCode.BadRequest, "application/problem+json"), (response.StatusCode, response.Content.Headers.ContentType!.MediaType));
        Assert.Equal($"The request cannot be given to a shard: {explanation}.", JsonDocument.Parse(body).RootElement.GetProperty("detail").GetString());
        Assert.Contains(shop.Log.Events, e => e.Id == EfScalingAspNetCoreEventId.RequestKeyRefused && e.Message.StartsWith($"A request was refused ({reason}).", StringComparison.Ordinal));
        Assert.DoesNotContain(shop.Log.Events, e => e.Id > 720_000 && new[] { "ada", "4711", "4712" }.Any(v => e.Message.Contains(v, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Agreeing_places_are_one_key_and_the_refusal_has_the_status_of_the_application()
    {
        await using var shop = await ShardedShop.StartAsync(databases, k => k.FromRoute("tenant").FromClaim("tenant_id").RefuseWith(404));
        Assert.Equal(ShardOf(3), (await AskAsync(shop, "/minimal/3", ("Claims", "3"))).Shard);
        using var refused = await shop.Client.GetAsync(new Uri("/minimal/ada", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
    }

    [Fact]
    public async Task What_needs_no_context_needs_no_key()
    {
        await using var shop = await ShardedShop.StartAsync(databases, k => k.FromHeader("X-Tenant"));
        Assert.Equal("no context", await shop.Client.GetStringAsync(new Uri("/health", UriKind.Relative)));
    }

    [Fact]
    public async Task Without_a_key_the_context_spans_all_shards_if_the_application_says_so()
    {
        await using var shop = await ShardedShop.StartAsync(databases, k => k.FromHeader("X-Tenant").SpanWithoutKey());
        Assert.Equal("customer 5", await shop.Client.GetStringAsync(new Uri("/other/0/5", UriKind.Relative)));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/minimal") { Headers = { { "X-Tenant", "ada" } } };
        using var refused = await shop.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
    }

    [Fact]
    public async Task Contexts_return_to_the_pool_of_their_shard_with_the_request()
    {
        await using var shop = await ShardedShop.StartAsync(databases, k => k.FromRoute("tenant"));
        var first = await AskAsync(shop, "/minimal/1");
        var second = await AskAsync(shop, "/minimal/1");
        var elsewhere = await AskAsync(shop, $"/minimal/{Enumerable.Range(1, ShopDatabases.Customers).First(i => ShardOf(i) != ShardOf(1))}");
        Assert.Equal((first.Instance, first.Lease + 1), (second.Instance, second.Lease));
        Assert.NotEqual(first.Instance, elsewhere.Instance);
    }

    [Fact]
    public async Task A_scope_of_the_application_sets_its_key_itself()
    {
        await using var shop = await ShardedShop.StartAsync(databases, k => k.FromRoute("tenant"));
        await using (var scope = shop.Services.CreateAsyncScope())
        {
            var binding = scope.ServiceProvider.GetRequiredService<ShardKeyBinding<ShopContext>>();
            binding.Bind(ShardKey.Of(9));
            var context = scope.ServiceProvider.GetRequiredService<ShopContext>();
            await context.Customers.CountAsync();
            Assert.Equal(ShardOf(9), context.Database.LastRouting()!.Value.Shard);
            Assert.StartsWith("A shard key was set for a scope whose 'ShopContext' was made already.", Assert.Throws<InvalidOperationException>(() => binding.Bind(ShardKey.Of(1))).Message, StringComparison.Ordinal);
        }

        await using var unbound = shop.Services.CreateAsyncScope();
        Assert.StartsWith(
            "A 'ShopContext' was asked for in a scope without a shard key. Call app.UseShardKeys()",
            Assert.Throws<InvalidOperationException>(() => unbound.ServiceProvider.GetRequiredService<ShopContext>()).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_response_that_has_started_is_cut_off()
    {
        await using var shop = await ShardedShop.StartAsync(databases, k => k.FromRoute("tenant"));
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => shop.Client.GetStringAsync(new Uri("/started", UriKind.Relative)));
    }

    private static async Task<ShopAnswer> AskAsync(ShardedShop shop, string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        using var response = await shop.Client.SendAsync(request);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<ShopAnswer>())!;
    }

    private string ShardOf(int id) => databases.Sharded.ShardOf(ShardKey.Of(id));
}
