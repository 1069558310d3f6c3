using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Routing;

/// <summary>Reads from the explanation of a query why it stays on the primary, or that it may leave.</summary>
internal static class Reasons
{
    public const string MayLeave = "may leave";

    public static string Of(IQueryable query)
    {
        var line = query.ToRoutingString().Split('\n')[0];
        return line.StartsWith("primary primary.invalid:5432: ", StringComparison.Ordinal) ? line["primary primary.invalid:5432: ".Length..]
            : line.StartsWith("replica if one is at most ", StringComparison.Ordinal) ? MayLeave
            : line;
    }
}
