namespace EfScaling.AspNetCore.Sessions;

/// <summary>What carries the consistency token of a user from one request to the next.</summary>
[Flags]
public enum SessionCarriers
{
    /// <summary>Nothing: a session ends with its request.</summary>
    None = 0,

    /// <summary>A cookie, for browsers.</summary>
    Cookie = 1,

    /// <summary>A header of the same name in response and request, for clients that keep no cookies.</summary>
    Header = 2,

    /// <summary>Both; what they bring is merged.</summary>
    All = Cookie | Header,
}
