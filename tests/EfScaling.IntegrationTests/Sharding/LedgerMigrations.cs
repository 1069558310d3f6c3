using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

#pragma warning disable MA0048 // The two steps of one history.

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>The first half of the ledger's schema.</summary>
[DbContext(typeof(LedgerContext))]
[Migration("20260101000000_Accounts")]
public sealed class LedgerAccounts : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        ArgumentNullException.ThrowIfNull(migrationBuilder);
        migrationBuilder.CreateTable(
            "Accounts",
            t => new { Id = t.Column<int>(), Name = t.Column<string>() },
            constraints: t => t.PrimaryKey("PK_Accounts", a => a.Id));
        migrationBuilder.CreateTable(
            "Currencies",
            t => new { Code = t.Column<string>(), Name = t.Column<string>() },
            constraints: t => t.PrimaryKey("PK_Currencies", c => c.Code));
        migrationBuilder.InsertData("Accounts", ["Name", "Id"], ["text", "integer"], new object[,] { { "first", 1 }, { "second", 2 }, { "third", 3 }, { "fourth", 4 }, { "fifth", 5 } });
        migrationBuilder.InsertData("Currencies", ["Code", "Name"], ["text", "text"], ["EUR", "euro"]);
    }
}

/// <summary>The second half.</summary>
[DbContext(typeof(LedgerContext))]
[Migration("20260102000000_Entries")]
public sealed class LedgerEntries : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        ArgumentNullException.ThrowIfNull(migrationBuilder);
        migrationBuilder.CreateTable(
            "Entries",
            t => new { AccountId = t.Column<int>(), Number = t.Column<int>(), Amount = t.Column<decimal>() },
            constraints: t => t.PrimaryKey("PK_Entries", e => new { e.AccountId, e.Number }));
        migrationBuilder.CreateTable(
            "Settings",
            t => new { Name = t.Column<string>(), Value = t.Column<string>() },
            constraints: t => t.PrimaryKey("PK_Settings", s => s.Name));
        migrationBuilder.InsertData("Settings", ["Name", "Value"], ["text", "text"], ["language", "en"]);
        migrationBuilder.UpdateData("Accounts", ["Id"], ["integer"], [3], ["Name"], ["text"], ["renamed"]);
        migrationBuilder.DeleteData("Accounts", ["Id"], ["integer"], [5]);
    }
}

/// <summary>Fills a table that the model has no more, and says where its rows belong.</summary>
[DbContext(typeof(LegacyLedger))]
[Migration("20260101000000_Placed")]
public sealed class LegacyPlaced : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        ArgumentNullException.ThrowIfNull(migrationBuilder);
        migrationBuilder.CreateTable("things", t => new { id = t.Column<int>() });
        migrationBuilder.InsertData("things", ["id"], ["integer"], new object[,] { { 1 }, { 2 } }).Annotation("EfScaling:Placement", TablePlacement.Reference);
        migrationBuilder.InsertData("things", ["id"], ["integer"], [3]).Annotation("EfScaling:Placement", TablePlacement.DefaultShard);
    }
}

/// <summary>Does not say it.</summary>
[DbContext(typeof(LegacyLedger))]
[Migration("20260102000000_Forgotten")]
public sealed class LegacyForgotten : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        ArgumentNullException.ThrowIfNull(migrationBuilder);
        migrationBuilder.InsertData("things", ["id"], ["integer"], [4]);
    }
}

/// <summary>A ledger with a longer history.</summary>
public sealed class LegacyLedger(DbContextOptions<LegacyLedger> options) : LedgerContext(options);
