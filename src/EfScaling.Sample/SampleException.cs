namespace EfScaling.Sample;

/// <summary>The sample cannot run as it was asked to; the message says what to change.</summary>
internal sealed class SampleException(string message, Exception? cause = null) : Exception(message, cause);
