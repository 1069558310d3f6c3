using EfScaling.Consistency;

namespace EfScaling.Tests.Consistency;

public sealed class WalPositionTests
{
    [Theory]
    [InlineData(0UL, "0/0")]
    [InlineData(0x28UL, "0/28")]
    [InlineData(0xFFFF_FFFFUL, "0/FFFFFFFF")]
    [InlineData(0x1_0000_0000UL, "1/0")]
    [InlineData(0x16_B374_D848UL, "16/B374D848")]
    [InlineData(0x8000_0000_0000_0001UL, "80000000/1")]
    [InlineData(ulong.MaxValue, "FFFFFFFF/FFFFFFFF")]
    public void Is_written_as_the_server_writes_it(ulong value, string text) => Assert.Equal(text, new WalPosition(value).ToString());

    [Theory]
    [InlineData(0UL, 1UL)]
    [InlineData(0xFFFF_FFFFUL, 0x1_0000_0000UL)]
    [InlineData(9UL, 0x10UL)]
    [InlineData(0x7FFF_FFFF_FFFF_FFFFUL, 0x8000_0000_0000_0000UL)]
    [InlineData(0UL, 0x8000_0000_0000_0000UL)]
    [InlineData(0x8000_0000_0000_0000UL, ulong.MaxValue)]
    [InlineData((1UL << 53) + 1, (1UL << 53) + 2)]
    public void Is_ordered_over_the_full_unsigned_range(ulong lower, ulong higher)
    {
        var (left, right) = (new WalPosition(lower), new WalPosition(higher));

        Assert.True(left < right && left <= right && right > left && right >= left);
        Assert.False(right < left || right <= left || left > right || left >= right);
        Assert.True(left.CompareTo(right) < 0 && right.CompareTo(left) > 0);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(ulong.MaxValue)]
    public void Equals_itself(ulong value)
    {
        var (left, right) = (new WalPosition(value), new WalPosition(value));

        Assert.Equal(left, right);
        Assert.True(left <= right && left >= right);
        Assert.False(left < right || left > right);
        Assert.Equal(0, left.CompareTo(right));
    }

    [Fact]
    public void None_demands_nothing() => Assert.True(WalPosition.None <= new WalPosition(0));
}
