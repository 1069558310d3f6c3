namespace EfScaling.Sample;

/// <summary>What the program tells its caller.</summary>
internal static class ExitStatus
{
    public const int AllChecksHold = 0;
    public const int Failed = 1;
    public const int BadArguments = 2;
    public const int Interrupted = 130;
}
