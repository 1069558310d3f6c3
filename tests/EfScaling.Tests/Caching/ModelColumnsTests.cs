using EfScaling.Caching;
using EfScaling.Caching.Rows;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Tests.Caching;

public sealed class ModelColumnsTests
{
    [Fact]
    public void Columns_whose_types_have_no_codec_are_named_with_entity_and_type()
    {
        using var context = new MapContext();
        Assert.Equal(["Landmark.Spot (geometry)", "Path.End (geometry)"], ModelColumns.FindUncacheable(context.Model, RowCodecs.Provided));
    }

    [Fact]
    public void A_codec_lifts_them()
    {
        using var context = new MapContext();
        Assert.Empty(ModelColumns.FindUncacheable(context.Model, RowCodecs.Provided.With("spot", new SpotCodec())));
    }

    [Fact]
    public void Inherited_split_owned_and_json_entities_of_usual_types_are_not_named()
    {
        using var context = new FactsContext(new DbContextOptionsBuilder<FactsContext>().UseNpgsql("Host=nowhere").Options);
        Assert.Empty(ModelColumns.FindUncacheable(context.Model, RowCodecs.Provided));
    }

    [Fact]
    public void The_first_look_at_a_model_is_one()
    {
        using var context = new MapContext();
        var model = context.Model;
        var looks = new int[16];
        Parallel.For(0, looks.Length, i => looks[i] = ModelColumns.IsFirstLook(model) ? 1 : 0);
        Assert.Equal(1, looks.Sum());
    }

    private sealed record Spot(int X, int Y);

    private sealed class Landmark
    {
        public int Id { get; set; }

        public required Spot Spot { get; set; }
    }

    private sealed class Path
    {
        public int Id { get; set; }

        public Spot? End { get; set; }
    }

    private sealed class MapContext : DbContext
    {
        protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) => optionsBuilder.UseNpgsql("Host=nowhere").EnableServiceProviderCaching(false);

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<Landmark>().Property(l => l.Spot).Metadata.SetTypeMapping(new SpotMapping());
            modelBuilder.Entity<Path>().ToTable("paths").ToView("path_ends").Property(p => p.End).Metadata.SetTypeMapping(new SpotMapping());
        }
    }

    private sealed class SpotMapping : RelationalTypeMapping
    {
        public SpotMapping()
            : base("geometry", typeof(Spot))
        {
        }

        private SpotMapping(RelationalTypeMappingParameters parameters)
            : base(parameters)
        {
        }

        protected override RelationalTypeMapping Clone(RelationalTypeMappingParameters parameters) => new SpotMapping(parameters);
    }

    private sealed class SpotCodec : ICacheCodec<Spot>
    {
        public void Write(System.Buffers.IBufferWriter<byte> output, Spot value) => throw new NotSupportedException();

        public Spot Read(ReadOnlySpan<byte> input) => throw new NotSupportedException();
    }
}
