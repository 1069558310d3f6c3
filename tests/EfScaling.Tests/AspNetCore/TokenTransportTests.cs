using EfScaling.AspNetCore.Sessions;
using EfScaling.Consistency;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace EfScaling.Tests.AspNetCore;

public sealed class TokenTransportTests
{
    private static readonly ConsistencyTokenProtector _protector = new("0123456789abcdef"u8.ToArray());

    private readonly DefaultHttpContext _context = new() { Request = { Method = "GET", Scheme = "http" } };
    private readonly ConsistencySessionOptions _options = new();

    [Fact]
    public void Cookie_is_bound_to_the_browser_and_the_site()
    {
        Transport().Write(_context, Tokens.One, ConsistencyToken.None);

        Assert.Equal($"efscaling-session-seen={_protector.Protect(Tokens.One)}; path=/; samesite=lax; httponly", Assert.Single(_context.Response.Headers.SetCookie));
    }

    [Theory]
    [InlineData("GET", "efscaling-session-seen")]
    [InlineData("HEAD", "efscaling-session-seen")]
    [InlineData("POST", "efscaling-session-seen efscaling-session")]
    [InlineData("DELETE", "efscaling-session-seen efscaling-session")]
    public void Safe_methods_leave_the_cookie_of_the_writes_alone(string method, string expected)
    {
        _context.Request.Method = method;

        Transport().Write(_context, Tokens.Later, Tokens.One);

        Assert.Equal(expected, string.Join(' ', _context.Response.Headers.SetCookie.Select(c => c!.Split('=')[0])));
    }

    [Fact]
    public void Cookie_that_could_not_be_used_is_replaced_by_any_method()
    {
        Transport().Write(_context, Tokens.One, ConsistencyToken.Unknown);

        Assert.Equal(2, _context.Response.Headers.SetCookie.Count);
    }

    [Fact]
    public void Both_cookies_are_read()
    {
        _context.Request.Headers.Cookie = $"efscaling-session={_protector.Protect(Tokens.Later)}; efscaling-session-seen={_protector.Protect(Tokens.One.Merge(Tokens.Other))}";

        Assert.Equal(Tokens.Later.Merge(Tokens.Other), Transport().Read(_context.Request));
    }

    [Fact]
    public void Cookie_given_over_https_comes_back_over_https_alone()
    {
        _context.Request.Scheme = "https";

        Transport().Write(_context, Tokens.One, ConsistencyToken.None);

        Assert.Contains("; secure;", Assert.Single(_context.Response.Headers.SetCookie), StringComparison.Ordinal);
    }

    [Fact]
    public void Longest_value_for_one_shard_is_shorter_than_200_bytes()
    {
        Transport().Write(_context, Tokens.Longest, ConsistencyToken.None);

        var value = Assert.Single(_context.Response.Headers.SetCookie)!.Split(';')[0].Split('=')[1];
        Assert.InRange(value.Length, 50, 71);
        Assert.Equal(value, _context.Response.Headers["EfScaling-Session"]);
        Assert.Equal(Tokens.Longest, _protector.Unprotect(value));
    }

    [Theory]
    [InlineData(SessionCarriers.None, false, false)]
    [InlineData(SessionCarriers.Cookie, true, false)]
    [InlineData(SessionCarriers.Header, false, true)]
    [InlineData(SessionCarriers.All, true, true)]
    public void Only_the_chosen_carriers_are_read_and_written(SessionCarriers carriers, bool cookie, bool header)
    {
        (_options.Carriers, _options.Cookie.Name, _options.HeaderName) = (carriers, "c", "H");
        _context.Request.Headers.Cookie = $"c={_protector.Protect(Tokens.One)}";
        _context.Request.Headers["H"] = _protector.Protect(Tokens.Other);

        var expected = ConsistencyToken.None;
        expected = cookie ? expected.Merge(Tokens.One) : expected;
        expected = header ? expected.Merge(Tokens.Other) : expected;
        Assert.Equal(expected, Transport().Read(_context.Request));

        Transport().Write(_context, Tokens.One, ConsistencyToken.None);
        Assert.Equal(cookie, _context.Response.Headers.SetCookie.Count == 1);
        Assert.Equal(header, _context.Response.Headers.ContainsKey("H"));
    }

    [Fact]
    public void Of_several_tokens_the_latest_positions_count()
    {
        _context.Request.Headers.Cookie = $"efscaling-session={_protector.Protect(Tokens.One)}";
        _context.Request.Headers["EfScaling-Session"] = new([_protector.Protect(Tokens.Later), _protector.Protect(Tokens.Other)]);

        Assert.Equal(Tokens.Later.Merge(Tokens.Other), Transport().Read(_context.Request));
    }

    [Fact]
    public void Request_without_a_token_asks_for_nothing() => Assert.Equal(ConsistencyToken.None, Transport().Read(_context.Request));

    [Theory]
    [InlineData("x")]
    [InlineData("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("%00%ff;;")]
    public void Token_that_was_not_written_here_makes_the_session_unknown_whatever_else_comes_along(string text)
    {
        _context.Request.Headers.Cookie = $"efscaling-session={text}";
        _context.Request.Headers["EfScaling-Session"] = _protector.Protect(Tokens.One);

        Assert.True(Transport().Read(_context.Request).IsUnknown);
    }

    [Theory]
    [InlineData("GET", null, "private", true)]
    [InlineData("GET", "max-age=60", "max-age=60, private", true)]
    [InlineData("GET", "private, max-age=60", "private, max-age=60", true)]
    [InlineData("GET", "no-store", "no-store", true)]
    [InlineData("HEAD", "public, max-age=60", "public, max-age=60", false)]
    [InlineData("GET", "s-maxage=60", "s-maxage=60", false)]
    [InlineData("POST", null, "", true)]
    [InlineData("POST", "public, max-age=60", "public, max-age=60", true)]
    public void Token_never_gets_into_a_shared_cache(string method, string? cacheControl, string expected, bool isSent)
    {
        _context.Request.Method = method;
        _context.Response.Headers.CacheControl = cacheControl;

        Transport().Write(_context, Tokens.One, ConsistencyToken.None);

        Assert.Equal(expected.Split(", ").Order(), _context.Response.Headers.CacheControl.ToString().Split(", ").Order());
        Assert.Equal(isSent, _context.Response.Headers.SetCookie.Count > 0);
        Assert.Equal(isSent, _context.Response.Headers.ContainsKey("EfScaling-Session"));
    }

    private TokenTransport Transport() => new(Options.Create(_options), _protector, NullLogger<TokenTransport>.Instance);
}
