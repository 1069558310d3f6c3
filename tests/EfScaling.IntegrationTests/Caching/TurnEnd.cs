namespace EfScaling.IntegrationTests.Caching;

/// <summary>How the load of a result ends.</summary>
public enum TurnEnd
{
    /// <summary>All rows are read.</summary>
    AtTheEnd,

    /// <summary>The application reads one row of many.</summary>
    LeftEarly,

    /// <summary>The database refuses the query.</summary>
    Failed,

    /// <summary>The application throws between two rows.</summary>
    FailedBetweenRows,

    /// <summary>The application cancels it.</summary>
    Cancelled,

    /// <summary>The result is too large.</summary>
    TooLarge,

    /// <summary>The reader is abandoned, and the context disposed.</summary>
    ContextDisposed,

    /// <summary>EF buffers the rows.</summary>
    Buffered,
}
