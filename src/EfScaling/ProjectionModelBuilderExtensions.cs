using EfScaling.Projections;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Adds the tables of projections to a model.</summary>
public static class ProjectionModelBuilderExtensions
{
    /// <summary>Adds the table <c>efscaling.outbox</c> to the model, so that migrations create it.</summary>
    /// <param name="modelBuilder">The model of the context.</param>
    /// <returns>The same builder.</returns>
    /// <remarks>Applications without migrations call <c>Database.EnsureOutboxCreatedAsync()</c> at start-up instead.</remarks>
    public static ModelBuilder AddOutbox(this ModelBuilder modelBuilder)
    {
        ArgumentNullException.ThrowIfNull(modelBuilder);
        OutboxModel.Map(modelBuilder);
        return modelBuilder;
    }
}
