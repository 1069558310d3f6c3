using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Makes the database delete what the program does not know it to delete.</summary>
[DbContext(typeof(ShapesContext))]
[Migration("1_AddLateForeignKey")]
public sealed class AddLateForeignKey : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        ArgumentNullException.ThrowIfNull(migrationBuilder);
        migrationBuilder.Sql("ALTER TABLE late_children ADD CONSTRAINT late FOREIGN KEY (\"ParentId\") REFERENCES parents ON DELETE CASCADE");
    }
}
