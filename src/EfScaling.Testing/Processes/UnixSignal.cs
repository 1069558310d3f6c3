namespace EfScaling.Testing.Processes;

/// <summary>Signals sent to servers, by their number on this system.</summary>
internal static class UnixSignal
{
    public const int Interrupt = 2;
    public const int Quit = 3;
    public const int Kill = 9;
    public const int Terminate = 15;

    public static int Stop { get; } = OperatingSystem.IsMacOS() ? 17 : 19;

    public static int Continue { get; } = OperatingSystem.IsMacOS() ? 19 : 18;

    /// <summary>Sends a signal; a process that is already gone is no error.</summary>
    public static void Send(int pid, int signal)
    {
        // 0, 1 and negative numbers would reach process groups or init.
        ArgumentOutOfRangeException.ThrowIfLessThan(pid, 2);
        _ = Libc.Kill(pid, signal);
    }
}
