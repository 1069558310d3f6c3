using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Makes every command of EF a <see cref="RoutedCommand"/>.</summary>
internal sealed class RoutedCommandBuilderFactory(RelationalCommandBuilderDependencies dependencies) : RelationalCommandBuilderFactory(dependencies)
{
    /// <inheritdoc />
    public override IRelationalCommandBuilder Create() => new Builder(Dependencies);

    private sealed class Builder(RelationalCommandBuilderDependencies dependencies) : RelationalCommandBuilder(dependencies)
    {
        public override IRelationalCommand Build()
        {
            var command = base.Build();
            return new RoutedCommand(Dependencies, command.CommandText, command.LogCommandText, command.Parameters);
        }
    }
}
