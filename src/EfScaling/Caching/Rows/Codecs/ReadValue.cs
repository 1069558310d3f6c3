namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Reads one value from a payload.</summary>
internal delegate T ReadValue<out T>(ref PayloadReader reader);
