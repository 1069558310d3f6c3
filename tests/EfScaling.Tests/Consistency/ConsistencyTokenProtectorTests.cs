using System.Buffers.Text;
using EfScaling.Consistency;

namespace EfScaling.Tests.Consistency;

public sealed class ConsistencyTokenProtectorTests
{
    private static readonly byte[] _key = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];
    private static readonly byte[] _otherKey = [.. Enumerable.Range(101, 32).Select(i => (byte)i)];

    private readonly ConsistencyTokenProtector _protector = new(_key);

    [Fact]
    public void Reads_back_what_it_wrote()
    {
        var random = new Random(20_261_121);
        for (var round = 0; round < 2_000; round++)
        {
            var token = ConsistencyTokenTests.Some(random);
            Assert.Equal(token, _protector.Unprotect(_protector.Protect(token)));
        }
    }

    [Fact]
    public void Text_is_short_and_fit_for_cookies_and_headers()
    {
        var text = _protector.Protect(new ConsistencyToken([new ShardPosition(string.Empty, ulong.MaxValue, uint.MaxValue, new WalPosition(ulong.MaxValue), ulong.MaxValue)]));

        Assert.InRange(text.Length, 1, 100);
        Assert.All(text, c => Assert.True(char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void No_text_asks_for_nothing(string? text) => Assert.Same(ConsistencyToken.None, _protector.Unprotect(text));

    [Fact]
    public void Every_change_of_the_text_makes_it_unknown()
    {
        var text = _protector.Protect(ConsistencyTokenTests.Token("a 7384093 1 100 0"));
        var bytes = Base64Url.DecodeFromChars(text);
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var changed = bytes.ToArray();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Same(ConsistencyToken.Unknown, _protector.Unprotect(Base64Url.EncodeToString(changed)));
        }

        for (var length = 1; length < bytes.Length; length++)
        {
            Assert.Same(ConsistencyToken.Unknown, _protector.Unprotect(Base64Url.EncodeToString(bytes.AsSpan(..length))));
        }

        Assert.Same(ConsistencyToken.Unknown, _protector.Unprotect(Base64Url.EncodeToString([.. bytes, 0])));
    }

    [Theory]
    [InlineData("not a token")]
    [InlineData("%%%")]
    [InlineData("日本語")]
    [InlineData("AQAA")]
    public void Anything_else_is_unknown(string text) => Assert.Same(ConsistencyToken.Unknown, _protector.Unprotect(text));

    [Fact]
    public void Text_without_end_is_unknown() => Assert.Same(ConsistencyToken.Unknown, _protector.Unprotect(new string('A', 1_000_000)));

    // Signed, so written by a later version or by a fault: neither may be misread.
    [Theory]
    [InlineData(new byte[] { })]
    [InlineData(new byte[] { 2, 0, 0 })] // a later version
    [InlineData(new byte[] { 1, 2, 0 })] // an unknown flag
    [InlineData(new byte[] { 1, 0 })] // no count
    [InlineData(new byte[] { 1, 0, 1 })] // no position
    [InlineData(new byte[] { 1, 0, 0, 0 })] // something behind the end
    [InlineData(new byte[] { 1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1 })] // a count without end
    [InlineData(new byte[] { 1, 0, 1, 200, 1, 65 })] // a name longer than the text
    public void Signed_text_that_is_not_understood_is_unknown(byte[] payload)
    {
        var signature = System.Security.Cryptography.HMACSHA256.HashData(_key, payload).AsSpan(..16);

        Assert.Same(ConsistencyToken.Unknown, _protector.Unprotect(Base64Url.EncodeToString([.. payload, .. signature])));
    }

    [Fact]
    public void Keys_can_be_changed_one_instance_at_a_time()
    {
        var token = ConsistencyTokenTests.Token("a 7384093 1 100 0");
        var (before, during, after) = (new ConsistencyTokenProtector(_key), new ConsistencyTokenProtector(_otherKey, _key), new ConsistencyTokenProtector(_otherKey));

        Assert.Equal(token, during.Unprotect(before.Protect(token)));
        Assert.Equal(token, after.Unprotect(during.Protect(token)));
        Assert.Same(ConsistencyToken.Unknown, after.Unprotect(before.Protect(token)));
    }

    [Fact]
    public void Short_and_missing_keys_are_refused_with_the_way_to_make_one()
    {
        Assert.Contains("RandomNumberGenerator", Assert.Throws<ArgumentException>(() => new ConsistencyTokenProtector()).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new ConsistencyTokenProtector(_key, new byte[15]));
        Assert.Throws<ArgumentException>(() => new ConsistencyTokenProtector(_key, null!));
    }

    [Fact]
    public void A_key_that_the_caller_changes_afterwards_still_signs_as_before()
    {
        var key = _key.ToArray();
        var protector = new ConsistencyTokenProtector(key);
        Array.Clear(key);

        Assert.Equal(_protector.Protect(ConsistencyToken.None), protector.Protect(ConsistencyToken.None));
    }
}
