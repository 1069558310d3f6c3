using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using EfScaling.Caching.Rows;

namespace EfScaling.Tests.Caching.Rows;

public sealed class RowSchemaTests
{
    [Theory]
    [InlineData(typeof(Uri))]
    [InlineData(typeof(object))]
    [InlineData(typeof(int?))]
    [InlineData(typeof(int[,]))]
    [InlineData(typeof(int[][]))]
    [InlineData(typeof(Uri[]))]
    [InlineData(typeof(HashSet<int>))]
    [InlineData(typeof(ValueTuple<int, int>))]
    public void Type_that_cannot_be_kept_is_named(Type type)
    {
        Assert.Null(RowSchema.TryCreate([new(null, typeof(int), "integer"), new("Place", type, "geometry")], out var obstacle));
        Assert.Equal($"type 'geometry' ({type}) of column 1 'Place'", obstacle);
    }

    [Fact]
    public void Type_of_a_plugin_is_kept_by_a_registered_codec()
    {
        var codecs = RowCodecs.Provided.With("meters", new MetersCodec()).With("note", new NoteCodec());
        foreach (var (type, value, text) in new (Type, object, string)[]
        {
            (typeof(Meters), new Meters(1.5), "Meters { Length = 1.5 }"),
            (typeof(Note), new Note { Text = "a" }, "a"),
            (typeof(Meters[]), new[] { new Meters(2) }, "Meters { Length = 2 }"),
            (typeof(List<Meters?>), new List<Meters?> { new(2), null }, "Meters { Length = 2 },"),
        })
        {
            var schema = RowSchema.TryCreate([new("x", type, "plugin")], out _, codecs)!;
            var rows = Recorded.Decoded(Recorded.Column(schema, value, null));
            using var reader = new RowSetReader(rows);
            Assert.True(reader.Read());
            var read = reader.GetValue(0);
            Assert.Equal(text, read is System.Collections.IEnumerable many ? string.Join(',', many.Cast<object>()) : read.ToString());
            Assert.False(ReferenceEquals(read, reader.GetValue(0)));
            Assert.True(reader.Read());
            Assert.True(reader.IsDBNull(0));
        }

        Assert.Null(RowSchema.TryCreate([new("x", typeof(Meters), "plugin")], out _));
    }

    [Fact]
    public void Codec_under_another_name_is_another_format()
    {
        ulong Fingerprint(string name) => RowSchema.TryCreate([new("x", typeof(Meters), "plugin")], out _, RowCodecs.Provided.With(name, new MetersCodec()))!.Fingerprint;

        Assert.NotEqual(Fingerprint("meters"), Fingerprint("meters 2"));
        Assert.Equal(Fingerprint("meters"), Fingerprint("meters"));
    }

    [Fact]
    public void Codec_that_throws_makes_a_miss()
    {
        var schema = RowSchema.TryCreate([new("x", typeof(Note), "plugin")], out _, RowCodecs.Provided.With("note", new NoteCodec()))!;
        var payload = RowFormat.Encode(Recorded.Column(schema, new Note { Text = NoteCodec.Broken }), default);

        Assert.False(RowFormat.TryDecode(payload, schema, out _, out _));
    }

    [Fact]
    public void Type_that_is_kept_already_takes_no_codec() =>
        Assert.Throws<ArgumentException>(() => RowCodecs.Provided.With("meters", new MetersCodec()).With("again", new MetersCodec()));

    private readonly record struct Meters(double Length);

    private sealed class Note
    {
        public required string Text { get; set; }

        public override string ToString() => Text;
    }

    private sealed class MetersCodec : ICacheCodec<Meters>
    {
        public void Write(IBufferWriter<byte> writer, Meters value)
        {
            BinaryPrimitives.WriteDoubleLittleEndian(writer.GetSpan(8), value.Length);
            writer.Advance(8);
        }

        public Meters Read(ReadOnlySpan<byte> bytes) => new(BinaryPrimitives.ReadDoubleLittleEndian(bytes));
    }

    private sealed class NoteCodec : ICacheCodec<Note>
    {
        public const string Broken = "broken";

        public void Write(IBufferWriter<byte> writer, Note value) => Encoding.UTF8.GetBytes(value.Text, writer);

        public Note Read(ReadOnlySpan<byte> bytes)
        {
            var text = Encoding.UTF8.GetString(bytes);
            return text == Broken ? throw new NotSupportedException() : new Note { Text = text };
        }
    }
}
