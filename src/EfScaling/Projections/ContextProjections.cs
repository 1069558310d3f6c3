using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>The projections of a context type, as the application's services know them.</summary>
internal sealed class ContextProjections<TContext> : ProjectionSet
    where TContext : DbContext;
