using Microsoft.AspNetCore.Http;

namespace EfScaling.AspNetCore.ShardKeys;

/// <summary>The request that a scope of services belongs to.</summary>
/// <remarks>A scoped service, so that nothing flows with the running code: services of another scope do not see the request.</remarks>
internal sealed class RequestKeyScope
{
    /// <summary>Gets or sets the request; <see langword="null"/> in scopes of the application's own.</summary>
    public HttpContext? Request { get; set; }
}
