using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>The text of JSON values as UTF-8.</summary>
internal static class JsonBytes
{
    /// <summary>Gets the text of a value; it lives as long as the value's document.</summary>
    public static ReadOnlySpan<byte> Of(JsonElement element) => JsonMarshal.GetRawUtf8Value(element);

    /// <summary>Reads a document. Throws if the bytes are none.</summary>
    public static JsonDocument ReadDocument(ref PayloadReader reader) => JsonDocument.Parse(Checked(reader.Block()).ToArray());

    /// <summary>Reads a value. Throws if the bytes are none.</summary>
    public static JsonElement ReadElement(ref PayloadReader reader) => Parse(Checked(reader.Block()));

    /// <summary>Makes a value that belongs to no document that anybody could dispose.</summary>
    public static JsonElement Parse(ReadOnlySpan<byte> bytes)
    {
        var reader = new Utf8JsonReader(bytes);
        var element = JsonElement.ParseValue(ref reader);
        return reader.Read() ? throw new JsonException("More than one value.") : element;
    }

    /// <summary>Gets the memory of a value: its text, and twelve bytes a token.</summary>
    public static int MemoryOf(JsonElement element) => 200 + (2 * Of(element).Length);

    // The parser looks at the bytes of a text only when somebody asks for the text.
    private static ReadOnlySpan<byte> Checked(ReadOnlySpan<byte> bytes) =>
        Utf8.IsValid(bytes) ? bytes : throw new JsonException("Not UTF-8.");
}
