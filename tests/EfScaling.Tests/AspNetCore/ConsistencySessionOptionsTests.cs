using System.Net;
using EfScaling.AspNetCore.Sessions;
using EfScaling.Consistency;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace EfScaling.Tests.AspNetCore;

public sealed class ConsistencySessionOptionsTests
{
    private const string Key = "MDEyMzQ1Njc4OWFiY2RlZg==";

    public static TheoryData<string, Action<ConsistencySessionOptions>> Faults => new()
    {
        { "need a signing key", o => o.SigningKeys.Clear() },
        { "shorter than 16 bytes", o => o.SigningKeys.Add(new byte[15]) },
        { "no value for the Carriers", o => o.Carriers = (SessionCarriers)8 },
        { "header of the consistency sessions has no name", o => o.HeaderName = " " },
        { "no value for UnsafeMethodContract", o => o.UnsafeMethodContract = (ReadContract)9 },
        { "must be greater than zero", o => o.TokenTimeout = TimeSpan.Zero },
    };

    [Theory]
    [MemberData(nameof(Faults), DisableDiscoveryEnumeration = true)]
    public void Settings_that_cannot_work_are_refused_with_what_to_set(string message, Action<ConsistencySessionOptions> configure)
    {
        using var services = Services(o => configure(o.AddSigningKey(Key)));

        var refusal = Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<ConsistencyTokenProtector>());
        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Application_without_a_signing_key_does_not_start()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrel(k => k.Listen(IPAddress.Loopback, 0));
        builder.Services.AddConsistencySessions();
        await using var app = builder.Build();

        var refusal = await Assert.ThrowsAsync<OptionsValidationException>(() => app.StartAsync());
        Assert.Contains("openssl rand -base64 32", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Middleware_without_its_services_says_what_to_call()
    {
        await using var app = WebApplication.CreateSlimBuilder().Build();

        var refusal = Assert.Throws<InvalidOperationException>(() => app.UseConsistencySessions());
        Assert.Contains("AddConsistencySessions", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_come_from_the_configuration_too()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["SigningKeys:0"] = Key,
            ["SigningKeys:1"] = "ZmVkY2JhOTg3NjU0MzIxMA==",
            ["Carriers"] = "Header",
            ["Cookie:Name"] = "s",
            ["UnsafeMethodContract"] = "Primary",
            ["TokenTimeout"] = "00:00:02",
        }).Build();
        var options = new ConsistencySessionOptions();

        configuration.Bind(options);

        Assert.Equal(["0123456789abcdef"u8.ToArray(), "fedcba9876543210"u8.ToArray()], options.SigningKeys);
        Assert.Equal(SessionCarriers.Header, options.Carriers);
        Assert.Equal("s", options.Cookie.Name);
        Assert.Equal(ReadContract.Primary, options.UnsafeMethodContract);
        Assert.Equal(2.Seconds(), options.TokenTimeout);
    }

    [Theory]
    [InlineData(null, "missing")]
    [InlineData("", "missing")]
    [InlineData("no base64!", "no base64")]
    public void Key_that_the_configuration_lacks_or_that_is_no_base64_is_refused(string? text, string message)
    {
        var refusal = Assert.Throws<ArgumentException>("base64", () => new ConsistencySessionOptions().AddSigningKey(text));
        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void First_key_signs_and_all_of_them_are_accepted()
    {
        const string OldKey = "ZmVkY2JhOTg3NjU0MzIxMA==";
        using var old = Services(o => o.AddSigningKey(OldKey));
        using var both = Services(o => o.AddSigningKey(Key).AddSigningKey(OldKey));
        using var newest = Services(o => o.AddSigningKey(Key));

        Assert.Equal(Tokens.One, Protector(both).Unprotect(Protector(old).Protect(Tokens.One)));
        Assert.Equal(Tokens.One, Protector(newest).Unprotect(Protector(both).Protect(Tokens.One)));
        Assert.Same(ConsistencyToken.Unknown, Protector(newest).Unprotect(Protector(old).Protect(Tokens.One)));
    }

    private static ServiceProvider Services(Action<ConsistencySessionOptions> configure) =>
        new ServiceCollection().AddConsistencySessions(configure).BuildServiceProvider();

    private static ConsistencyTokenProtector Protector(ServiceProvider services) => services.GetRequiredService<ConsistencyTokenProtector>();
}
