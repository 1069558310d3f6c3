using EfScaling.AspNetCore.Sessions;
using EfScaling.Consistency;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers what <c>UseConsistencySessions</c> needs.</summary>
public static class ConsistencySessionServiceCollectionExtensions
{
    /// <summary>Registers the settings of consistency sessions, and a <see cref="ConsistencyTokenProtector"/> with their keys.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets the options; may be left out if <c>services.Configure&lt;ConsistencySessionOptions&gt;(...)</c> does.</param>
    /// <returns>The same services.</returns>
    /// <remarks>The settings are checked when the host starts: without a signing key it does not.</remarks>
    public static IServiceCollection AddConsistencySessions(this IServiceCollection services, Action<ConsistencySessionOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<ConsistencySessionOptions>().ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ConsistencySessionOptions>, ConsistencySessionOptionsValidator>());
        services.TryAddSingleton(p => new ConsistencyTokenProtector([.. p.GetRequiredService<IOptions<ConsistencySessionOptions>>().Value.SigningKeys]));
        services.TryAddSingleton<TokenTransport>();
        return services;
    }
}
