using System.Text;
using NpgsqlTypes;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Documents and queries of the text search as bytes.</summary>
internal static class TextSearchBytes
{
    // Deeper queries would need a deeper stack to read; none is typed by hand.
    private const int MaxDepth = 256;

    /// <summary>Writes a document: its lexemes, each with its places.</summary>
    public static void Write(PayloadWriter writer, NpgsqlTsVector value)
    {
        writer.Varint((uint)value.Count);
        foreach (var lexeme in value)
        {
            writer.Text(lexeme.Text);
            writer.Varint((uint)lexeme.Count);
            for (var i = 0; i < lexeme.Count; i++)
            {
                writer.Varint((uint)((lexeme[i].Pos << 2) | (int)lexeme[i].Weight));
            }
        }
    }

    /// <summary>Reads a document. Damages the reader if the bytes are none, or none that this process can make.</summary>
    public static NpgsqlTsVector ReadVector(ref PayloadReader reader)
    {
        var lexemes = new List<NpgsqlTsVector.Lexeme>();
        for (var left = reader.Count(); left > 0 && !reader.IsDamaged; left--)
        {
            var text = reader.Text();
            var places = new List<NpgsqlTsVector.Lexeme.WordEntryPos>();
            for (var count = reader.Count(); count > 0 && !reader.IsDamaged; count--)
            {
                var place = reader.Varint();
                places.Add(new(checked((int)(place >> 2)), (NpgsqlTsVector.Lexeme.Weight)(place & 3)));
            }

            lexemes.Add(new(text, places.Count == 0 ? null : places));
        }

        var vector = reader.IsDamaged ? NpgsqlTsVector.Empty : Parse(string.Join(' ', lexemes));
        if (!vector.SequenceEqual(lexemes))
        {
            reader.Damage();
        }

        return vector;
    }

    /// <summary>Gets whether a document can be made again. Npgsql's only public way to make one sorts it by the current culture, not as the database does.</summary>
    public static bool CanKeep(NpgsqlTsVector value) => Parse(value.ToString()).Equals(value);

    /// <summary>Gets the memory of a document.</summary>
    public static int MemoryOf(NpgsqlTsVector value) => 80 + value.Sum(static l => 56 + StringCodec.MemoryOf(l.Text) + (2 * l.Count));

    /// <summary>Writes a query: the kind of each node, what it holds, and then its children.</summary>
    public static void Write(PayloadWriter writer, NpgsqlTsQuery value)
    {
        writer.Byte((byte)KindOf(value));
        switch (value)
        {
            case NpgsqlTsQueryLexeme lexeme:
                writer.Text(lexeme.Text);
                writer.Byte((byte)((int)lexeme.Weights | (lexeme.IsPrefixSearch ? 16 : 0)));
                break;
            case NpgsqlTsQueryNot not:
                Write(writer, not.Child);
                break;
            case NpgsqlTsQueryBinOp both:
                if (both is NpgsqlTsQueryFollowedBy followed)
                {
                    writer.Varint((uint)followed.Distance);
                }

                Write(writer, both.Left);
                Write(writer, both.Right);
                break;
        }
    }

    /// <summary>Reads a query.</summary>
    public static NpgsqlTsQuery ReadQuery(ref PayloadReader reader) => ReadQuery(ref reader, MaxDepth);

    /// <summary>Gets whether a query can be written and read.</summary>
    public static bool CanKeep(NpgsqlTsQuery value) => CanKeep(value, MaxDepth);

    /// <summary>Makes a query of the caller's own.</summary>
    public static NpgsqlTsQuery Copy(NpgsqlTsQuery value) => value switch
    {
        NpgsqlTsQueryLexeme lexeme => new NpgsqlTsQueryLexeme(lexeme.Text, lexeme.Weights, lexeme.IsPrefixSearch),
        NpgsqlTsQueryNot not => new NpgsqlTsQueryNot(Copy(not.Child)),
        NpgsqlTsQueryAnd and => new NpgsqlTsQueryAnd(Copy(and.Left), Copy(and.Right)),
        NpgsqlTsQueryOr or => new NpgsqlTsQueryOr(Copy(or.Left), Copy(or.Right)),
        NpgsqlTsQueryFollowedBy followed => new NpgsqlTsQueryFollowedBy(Copy(followed.Left), followed.Distance, Copy(followed.Right)),
        _ => new NpgsqlTsQueryEmpty(),
    };

    /// <summary>Gets the memory of a query.</summary>
    public static int MemoryOf(NpgsqlTsQuery value) => value switch
    {
        NpgsqlTsQueryLexeme lexeme => 40 + StringCodec.MemoryOf(lexeme.Text),
        NpgsqlTsQueryNot not => 32 + MemoryOf(not.Child),
        NpgsqlTsQueryBinOp both => 40 + MemoryOf(both.Left) + MemoryOf(both.Right),
        _ => 24,
    };

    private static NpgsqlTsVector Parse(string text)
    {
#pragma warning disable CS0618 // Unreliable, as it says: what it makes is compared with what it was made from.
        return NpgsqlTsVector.Parse(text);
#pragma warning restore CS0618
    }

    private static Node KindOf(NpgsqlTsQuery value) => value switch
    {
        NpgsqlTsQueryLexeme => Node.Lexeme,
        NpgsqlTsQueryNot => Node.Not,
        NpgsqlTsQueryAnd => Node.And,
        NpgsqlTsQueryOr => Node.Or,
        NpgsqlTsQueryFollowedBy => Node.FollowedBy,
        _ => Node.Empty,
    };

    private static NpgsqlTsQuery ReadQuery(ref PayloadReader reader, int depth)
    {
        if (depth == 0)
        {
            reader.Damage();
        }

        switch ((Node)reader.Byte())
        {
            case Node.Lexeme when !reader.IsDamaged:
                var text = reader.Text();
                var weights = reader.Byte();
                return new NpgsqlTsQueryLexeme(text, (NpgsqlTsQueryLexeme.Weight)(weights & 0xEF), (weights & 16) != 0);
            case Node.Not:
                return new NpgsqlTsQueryNot(ReadQuery(ref reader, depth - 1));
            case Node.And:
                return new NpgsqlTsQueryAnd(ReadQuery(ref reader, depth - 1), ReadQuery(ref reader, depth - 1));
            case Node.Or:
                return new NpgsqlTsQueryOr(ReadQuery(ref reader, depth - 1), ReadQuery(ref reader, depth - 1));
            case Node.FollowedBy:
                var distance = checked((short)reader.Varint());
                var left = ReadQuery(ref reader, depth - 1);
                return new NpgsqlTsQueryFollowedBy(left, distance, ReadQuery(ref reader, depth - 1));
            case Node.Empty when !reader.IsDamaged:
                return new NpgsqlTsQueryEmpty();
            default:
                reader.Damage();
                return new NpgsqlTsQueryEmpty();
        }
    }

    private static bool CanKeep(NpgsqlTsQuery value, int depth) => depth > 0 && value switch
    {
        NpgsqlTsQueryNot not => CanKeep(not.Child, depth - 1),
        NpgsqlTsQueryBinOp both => CanKeep(both.Left, depth - 1) && CanKeep(both.Right, depth - 1),
        _ => true,
    };

    private enum Node : byte
    {
        Empty = 1,
        Lexeme = 2,
        Not = 3,
        And = 4,
        Or = 5,
        FollowedBy = 6,
    }
}
