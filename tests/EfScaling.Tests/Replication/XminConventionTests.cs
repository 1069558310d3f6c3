using EfScaling.Replication;
using EfScaling.Tests.Models;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;

namespace EfScaling.Tests.Replication;

public sealed class XminConventionTests
{
    private const string Join = "join";

    private static readonly Dictionary<string, Action<ModelBuilder>> _models = new()
    {
        ["plain"] = m => m.Entity<Animal>(),
        ["own token"] = m => m.Entity<Document>().Property(d => d.Version).IsConcurrencyToken(),
        ["own row version"] = m => m.Entity<Document>().Property(d => d.RowVersion).IsRowVersion(),
        ["own xmin"] = m => m.Entity<Animal>().Property<uint>("xmin").IsRowVersion(),
        ["TPH"] = m =>
        {
            m.Entity<Cat>();
            m.Entity<Dog>();
            m.Entity<Animal>();
        },
        ["TPH with a token in a derived type"] = m =>
        {
            m.Entity<Animal>();
            m.Entity<Cat>().Property(c => c.Lives).IsConcurrencyToken();
        },
        ["TPT"] = m =>
        {
            m.Entity<Animal>().UseTptMappingStrategy();
            m.Entity<Cat>();
        },
        ["TPT with its own token"] = m =>
        {
            m.Entity<Document>().UseTptMappingStrategy().Property(d => d.Version).IsConcurrencyToken();
            m.Entity<Letter>();
        },
        ["TPC"] = m =>
        {
            m.Entity<Animal>().UseTpcMappingStrategy();
            m.Entity<Cat>();
        },
        ["TPC with an abstract root"] = m =>
        {
            m.Entity<Vehicle>().UseTpcMappingStrategy();
            m.Entity<Car>();
            m.Entity<Bike>();
        },
        ["owned in the same table"] = m => m.Entity<House>(h =>
        {
            h.OwnsOne(x => x.Door);
            h.Ignore(x => x.Rooms);
        }),
        ["owned in its own table"] = m => m.Entity<House>(h =>
        {
            h.OwnsOne(x => x.Door, d => d.ToTable("doors"));
            h.OwnsMany(x => x.Rooms);
        }),
        ["owned as JSON"] = m => m.Entity<House>(h =>
        {
            h.OwnsOne(x => x.Door, d => d.ToJson());
            h.OwnsMany(x => x.Rooms, r => r.ToJson());
        }),
        ["keyless"] = m => m.Entity<Animal>().HasNoKey(),
        ["view"] = m => m.Entity<Animal>().ToView("animals"),
        ["query"] = m => m.Entity<Animal>().ToSqlQuery("SELECT 1 AS \"Id\""),
        ["split over two tables"] = m => m.Entity<Document>().SplitToTable("titles", t => t.Property(d => d.Title)),
        ["split with its own token"] = m => m.Entity<Document>(d =>
        {
            d.Property(x => x.Version).IsConcurrencyToken();
            d.SplitToTable("titles", t => t.Property(x => x.Title));
        }),
        ["two entity types in one table"] = m =>
        {
            m.Entity<Person>().ToTable("people").HasOne(p => p.Details).WithOne().HasForeignKey<PersonDetails>(d => d.Id);
            m.Entity<PersonDetails>().ToTable("people");
        },
        ["many to many"] = m => m.Entity<Student>().HasMany(s => s.Courses).WithMany(c => c.Students).UsingEntity(Join),
    };

    [Theory]
    [InlineData("plain", nameof(Animal))]
    [InlineData("own token", "")]
    [InlineData("own row version", "")]
    [InlineData("own xmin", "")]
    [InlineData("TPH", nameof(Animal))]
    [InlineData("TPH with a token in a derived type", "")]
    [InlineData("TPT", "")]
    [InlineData("TPC", nameof(Animal))]
    [InlineData("TPC with an abstract root", nameof(Vehicle))]
    [InlineData("owned in the same table", nameof(House))]
    [InlineData("owned in its own table", $"{nameof(Door)} {nameof(House)} {nameof(Room)}")]
    [InlineData("owned as JSON", nameof(House))]
    [InlineData("keyless", "")]
    [InlineData("view", "")]
    [InlineData("query", "")]
    [InlineData("split over two tables", "")]
    [InlineData("two entity types in one table", nameof(Person))]
    [InlineData("many to many", $"{nameof(Course)} {Join} {nameof(Student)}")]
    public void Adds_a_token_where_there_is_one_row_without_one(string model, string expected)
    {
        using var context = ModelContext.Create(_models[model]);

        Assert.Equal(expected, string.Join(' ', TypesWithAddedToken(context)));
    }

    [Theory]
    [InlineData("plain", nameof(Animal), true)]
    [InlineData("own token", nameof(Document), false)] // says nothing of changes that leave it alone
    [InlineData("own row version", nameof(Document), true)]
    [InlineData("own xmin", nameof(Animal), true)]
    [InlineData("TPH", nameof(Animal), true)]
    [InlineData("TPH", nameof(Cat), true)]
    [InlineData("TPH with a token in a derived type", nameof(Animal), false)]
    [InlineData("TPH with a token in a derived type", nameof(Cat), false)]
    [InlineData("TPT", nameof(Animal), false)]
    [InlineData("TPT", nameof(Cat), false)]
    [InlineData("TPT with its own token", nameof(Document), false)] // a change to a letter's own columns touches no row with the token
    [InlineData("TPT with its own token", nameof(Letter), false)]
    [InlineData("TPC", nameof(Animal), true)]
    [InlineData("TPC", nameof(Cat), true)]
    [InlineData("TPC with an abstract root", nameof(Vehicle), true)]
    [InlineData("TPC with an abstract root", nameof(Car), true)]
    [InlineData("owned in the same table", nameof(Door), true)]
    [InlineData("owned in its own table", nameof(Door), true)]
    [InlineData("owned in its own table", nameof(Room), true)]
    [InlineData("owned as JSON", nameof(Door), true)]
    [InlineData("owned as JSON", nameof(Room), true)]
    [InlineData("keyless", nameof(Animal), false)]
    [InlineData("view", nameof(Animal), true)] // nothing can be written
    [InlineData("query", nameof(Animal), true)]
    [InlineData("split over two tables", nameof(Document), false)]
    [InlineData("split with its own token", nameof(Document), false)]
    [InlineData("two entity types in one table", nameof(Person), true)]
    [InlineData("two entity types in one table", nameof(PersonDetails), true)]
    [InlineData("many to many", nameof(Student), true)]
    [InlineData("many to many", Join, true)]
    public void A_write_is_protected_where_every_change_checks_a_token(string model, string entityType, bool isProtected)
    {
        using var context = ModelContext.Create(_models[model]);

        Assert.Equal(isProtected, WriteProtection.Covers(context.Model.GetEntityTypes().Single(t => t.ShortName() == entityType)));
    }

    [Theory]
    [InlineData(nameof(TrackedReads.Primary))]
    [InlineData(nameof(TrackedReads.ReplicaUnprotected))]
    public void Adds_no_token_where_tracked_reads_need_none(string trackedReads)
    {
        using var context = ModelContext.Create(_models["plain"], Enum.Parse<TrackedReads>(trackedReads));
        var entityType = Assert.Single(context.Model.GetEntityTypes());

        Assert.DoesNotContain(entityType.GetProperties(), p => p.IsConcurrencyToken || p.Name == "xmin");
        Assert.False(WriteProtection.Covers(entityType));
    }

    [Fact]
    public void The_token_is_the_system_column_that_the_server_sets()
    {
        using var context = ModelContext.Create(_models["plain"]);
        var token = Assert.Single(context.Model.GetEntityTypes()).FindProperty("xmin")!;

        Assert.True(token.IsConcurrencyToken);
        Assert.True(token.IsShadowProperty());
        Assert.Equal(typeof(uint), token.ClrType);
        Assert.Equal("xmin", token.GetColumnName());
        Assert.Equal("xid", token.GetColumnType());
        Assert.Equal(ValueGenerated.OnAddOrUpdate, token.ValueGenerated);
        Assert.Equal(PropertySaveBehavior.Ignore, token.GetBeforeSaveBehavior());
        Assert.Equal(PropertySaveBehavior.Ignore, token.GetAfterSaveBehavior());
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void The_schema_stays_as_it_is_without_replicas(string model)
    {
        using var with = ModelContext.Create(_models[model]);
        using var without = ModelContext.CreateWithoutReplicas(_models[model]);

        Assert.Equal(without.Database.GenerateCreateScript(), with.Database.GenerateCreateScript());
    }

    public static TheoryData<string> Models => [.. _models.Keys];

    [Theory]
    [MemberData(nameof(Models))]
    public void Migrations_see_no_difference_to_the_model_without_replicas(string model)
    {
        using var with = ModelContext.Create(_models[model]);
        using var without = ModelContext.CreateWithoutReplicas(_models[model]);
        var differ = with.GetService<IMigrationsModelDiffer>();
        var (withReplicas, withoutReplicas) = (DesignTimeModel(with), DesignTimeModel(without));

        Assert.Empty(differ.GetDifferences(withReplicas, withoutReplicas));
        Assert.Empty(differ.GetDifferences(withoutReplicas, withReplicas));
        Assert.False(differ.HasDifferences(withReplicas, withoutReplicas));
        Assert.False(differ.HasDifferences(withoutReplicas, withReplicas));
    }

    [Fact]
    public void Migrations_still_see_every_other_difference()
    {
        using var before = ModelContext.Create(_models["plain"]);
        using var after = ModelContext.Create(m => m.Entity<Animal>().Property<int>("Age"));
        var differ = after.GetService<IMigrationsModelDiffer>();

        Assert.Single(differ.GetDifferences(DesignTimeModel(before), DesignTimeModel(after)));
        Assert.True(differ.HasDifferences(DesignTimeModel(before), DesignTimeModel(after)));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void A_first_migration_names_no_system_column(string model)
    {
        using var context = ModelContext.Create(_models[model]);
        var operations = context.GetService<IMigrationsModelDiffer>().GetDifferences(null, DesignTimeModel(context));

        Assert.DoesNotContain(operations.OfType<CreateTableOperation>().SelectMany(t => t.Columns), c => c.Name == "xmin");
    }

    private static IRelationalModel DesignTimeModel(DbContext context) => context.GetService<IDesignTimeModel>().Model.GetRelationalModel();

    private static IEnumerable<string> TypesWithAddedToken(DbContext context) =>
        context.Model.GetEntityTypes()
            .Where(t => t.GetDeclaredProperties().Any(p => p[WriteProtection.TokenAnnotation] is true))
            .Select(t => t.ShortName())
            .Order(StringComparer.OrdinalIgnoreCase);
}
