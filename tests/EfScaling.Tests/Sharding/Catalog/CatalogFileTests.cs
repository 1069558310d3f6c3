using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;

namespace EfScaling.Tests.Sharding.Catalog;

public sealed class CatalogFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("efscaling").FullName;

    private string Path => System.IO.Path.Combine(_folder, "shards.json");

    [Fact]
    public void What_was_written_last_is_read()
    {
        var file = new CatalogFile(Path);
        Assert.Null(file.Read());
        file.Write(Reading(epoch: 1));
        file.Write(Reading(epoch: 2));

        var (read, _) = file.Read()!.Value;
        Assert.Equal((7, 2), (read.Id, read.Epoch));
        Assert.Equal(Reading(2).Maps.Single().Fingerprint, read.Maps.Single().Map!.Fingerprint);
        Assert.Equal(Reading(2).Maps.Single().Ownership.Buckets, read.Maps.Single().Ownership.Buckets);
        Assert.Equal([Path], Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_file_that_was_cut_off_or_changed_anywhere_is_refused()
    {
        var file = new CatalogFile(Path);
        file.Write(Reading(epoch: 1));
        var text = File.ReadAllText(Path);
        for (var at = 0; at < text.Length; at += 7)
        {
            File.WriteAllText(Path, text[..at]);
            Assert.Throws<FormatException>(() => file.Read());
            File.WriteAllText(Path, $"{text[..at]}{(text[at] == '1' ? '2' : '1')}{text[(at + 1)..]}");
            Assert.Throws<FormatException>(() => file.Read());
        }
    }

    [Fact]
    public void A_reader_finds_the_maps_whole_while_others_write()
    {
        var file = new CatalogFile(Path);
        file.Write(Reading(epoch: 1));
        Parallel.For(0, 200, i =>
        {
            if (i % 2 == 0)
            {
                file.Write(Reading(epoch: i));
            }
            else
            {
                Assert.NotNull(file.Read());
            }
        });
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static CatalogReading Reading(long epoch) => new(7, epoch, [CatalogMap.First("m", new HashShardMap(["a", "b"], 16).With(3, "b"))]);
}
