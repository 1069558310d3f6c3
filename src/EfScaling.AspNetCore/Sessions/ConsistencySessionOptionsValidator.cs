using EfScaling.Consistency;
using Microsoft.Extensions.Options;

namespace EfScaling.AspNetCore.Sessions;

/// <summary>Checks the settings when the application starts.</summary>
/// <remarks>There is no default key on purpose: one drawn by each process would make every instance refuse what the others have signed.</remarks>
internal sealed class ConsistencySessionOptionsValidator : IValidateOptions<ConsistencySessionOptions>
{
    private const int MinKeyLength = 16;

    /// <inheritdoc />
    public ValidateOptionsResult Validate(string? name, ConsistencySessionOptions options)
    {
        string[] failures = [.. Failures(options)];
        return failures.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static IEnumerable<string> Failures(ConsistencySessionOptions options)
    {
        if (options.SigningKeys.Count == 0)
        {
            yield return "Consistency sessions need a signing key. Call AddConsistencySessions(o => o.AddSigningKey(configuration[\"...\"])) with the output of "
                + "'openssl rand -base64 32', kept as a secret and the same on every instance.";
        }

        if (options.SigningKeys.Any(k => k is null || k.Length < MinKeyLength))
        {
            yield return $"A signing key of the consistency sessions is shorter than {MinKeyLength} bytes. Make one with 'openssl rand -base64 32'.";
        }

        if ((options.Carriers & ~SessionCarriers.All) != 0)
        {
            yield return $"'{options.Carriers}' is no value for the Carriers of consistency sessions. Set SessionCarriers.Cookie, Header or All.";
        }

        if (options.Carriers.HasFlag(SessionCarriers.Header) && string.IsNullOrWhiteSpace(options.HeaderName))
        {
            yield return "The header of the consistency sessions has no name. Set HeaderName, or Carriers without Header.";
        }

        if (options.UnsafeMethodContract is { } contract && !Enum.IsDefined(contract))
        {
            yield return $"'{contract}' is no value for UnsafeMethodContract. Set one of {string.Join(", ", Enum.GetNames<ReadContract>())}, or null.";
        }

        if (options.TokenTimeout <= TimeSpan.Zero)
        {
            yield return $"The TokenTimeout of the consistency sessions is {options.TokenTimeout}. It must be greater than zero.";
        }
    }
}
