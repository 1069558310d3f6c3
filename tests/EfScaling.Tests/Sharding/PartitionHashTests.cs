using System.Text;
using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

/// <summary>Hashes that PostgreSQL 15 gave, as the signed numbers that it shows; the integration tests compare many more with the server.</summary>
public sealed class PartitionHashTests
{
    [Fact]
    public void Hashes_are_those_of_the_server()
    {
        Assert.Equal(-7298374200968567817, (long)PartitionHash.Of((short)-7));
        Assert.Equal(7363975540656877951, (long)PartitionHash.Of(42));
        Assert.Equal(5769331814454937003, (long)PartitionHash.Of(1L << 40));
        Assert.Equal(2555968867797403719, (long)PartitionHash.Of(-(1L << 40)));
        Assert.Equal(254580386872206808, (long)PartitionHash.Of(new Guid("01234567-89ab-cdef-0123-456789abcdef")));
        Assert.Equal(-1657789506419481412, (long)PartitionHash.Of("Grüße, 世界 🚀".AsSpan()));
        Assert.Equal(6304452056252519509, (long)PartitionHash.Of([1, 2, 3]));
        Assert.Equal(5968994663651403477, (long)PartitionHash.Of(true));
        Assert.Equal(-7425094147693931516, (long)PartitionHash.Of(new DateOnly(2024, 2, 29)));
        Assert.Equal(3499541906658409207, (long)PartitionHash.Of(new DateTime(2024, 2, 29, 12, 34, 56, 789)));
    }

    [Fact]
    public void A_number_hashes_the_same_in_every_width()
    {
        Assert.Equal(PartitionHash.Of(-5), PartitionHash.Of((short)-5));
        Assert.Equal(PartitionHash.Of(-5), PartitionHash.Of(-5L));
    }

    [Fact]
    public void Text_hashes_as_its_bytes_whatever_its_length()
    {
        for (var length = 0; length < 300; length++)
        {
            var text = string.Concat(Enumerable.Repeat("aé漢😀", 1 + (length / 5)))[..length];
            text = char.IsHighSurrogate(text.LastOrDefault()) ? text[..^1] : text;
            Assert.Equal(PartitionHash.Of(Encoding.UTF8.GetBytes(text)), PartitionHash.Of(text.AsSpan()));
        }
    }

    [Fact]
    public void Hash_of_text_up_to_256_bytes_allocates_nothing()
    {
        string[] texts = ["", "abc", new('x', 85), new('x', 256), new('漢', 85)];
        ulong sum = 0;
        for (var round = 0; round < 2; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            foreach (var text in texts)
            {
                sum += PartitionHash.Of(text.AsSpan());
            }

            Assert.True(round == 0 || GC.GetAllocatedBytesForCurrentThread() == before, $"{GC.GetAllocatedBytesForCurrentThread() - before} bytes, {sum}");
        }
    }

    [Fact]
    public void A_null_column_contributes_nothing() =>
        Assert.Equal(PartitionHash.Combine(0, 5), PartitionHash.Combine(PartitionHash.Combine(PartitionHash.Combine(0, null), 5), null));
}
