using EfScaling.Consistency;

namespace EfScaling.Tests.Consistency;

public sealed class WalGeometryTests
{
    private const uint Page = 8_192;
    private const uint Segment = 16 * 1_024 * 1_024;

    [Theory]
    [InlineData(0x4000028UL, 0x4000000UL)] // behind the header of a segment, as after pg_switch_wal()
    [InlineData(0x4000018UL, 0x4000000UL)] // behind a short header at the start of a segment
    [InlineData(0x4002018UL, 0x4002000UL)] // behind the header of a page
    [InlineData(0x1_0000_2018UL, 0x1_0000_2000UL)] // beyond 32 bits
    [InlineData(0xFFFF_FFFF_FF00_0028UL, 0xFFFF_FFFF_FF00_0000UL)] // the last segment of all
    [InlineData(0x4002028UL, 0x4002028UL)] // 40 bytes into a page that starts no segment: a record
    [InlineData(0x4000000UL, 0x4000000UL)] // the boundary itself
    [InlineData(0x4000017UL, 0x4000017UL)]
    [InlineData(0x4000019UL, 0x4000019UL)]
    [InlineData(0x4000027UL, 0x4000027UL)]
    [InlineData(0x4000029UL, 0x4000029UL)]
    [InlineData(0x40012A8UL, 0x40012A8UL)]
    [InlineData(0UL, 0UL)]
    public void Takes_the_header_off_a_position_right_behind_it(ulong position, ulong normalised) =>
        Assert.Equal(new WalPosition(normalised), new WalGeometry(Page, Segment).Normalize(new WalPosition(position)));

    [Theory]
    [InlineData(1_024u, 0x4000418UL, 0x4000400UL)] // a page of a kilobyte
    [InlineData(65_536u, 0x4002018UL, 0x4002018UL)] // the middle of a page of 64 kilobytes
    [InlineData(65_536u, 0x4010018UL, 0x4010000UL)]
    public void Goes_by_the_page_size_of_the_server(uint pageSize, ulong position, ulong normalised) =>
        Assert.Equal(new WalPosition(normalised), new WalGeometry(pageSize, Segment).Normalize(new WalPosition(position)));

    [Theory]
    [InlineData(1_024u * 1_024, 0x4100028UL, 0x4100000UL)]
    [InlineData(64u * 1_024 * 1_024, 0x4100028UL, 0x4100028UL)]
    public void Goes_by_the_segment_size_of_the_server(uint segmentSize, ulong position, ulong normalised) =>
        Assert.Equal(new WalPosition(normalised), new WalGeometry(Page, segmentSize).Normalize(new WalPosition(position)));

    [Theory]
    [InlineData(0u, 0u)]
    [InlineData(0u, Segment)]
    [InlineData(Page, 0u)]
    public void Leaves_positions_alone_while_a_size_is_unknown(uint pageSize, uint segmentSize)
    {
        var position = new WalPosition(0x4000028);

        Assert.Equal(position, new WalGeometry(pageSize, segmentSize).Normalize(position));
    }
}
