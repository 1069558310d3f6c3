using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Routing;

/// <summary>The mark of a database function of the application that only reads.</summary>
internal static class StableFunctionAnnotation
{
    /// <summary>The annotation's name.</summary>
    public const string Name = "EfScaling:Stable";

    /// <summary>Returns whether the function carries the mark.</summary>
    public static bool IsSet(IReadOnlyDbFunction function) => function[Name] is true;
}
