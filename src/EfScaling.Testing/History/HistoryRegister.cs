using System.ComponentModel.DataAnnotations.Schema;

namespace EfScaling.Testing.History;

/// <summary>A row that a <see cref="HistoryRun"/> writes and reads. An application that is checked has it in its model, with its <see cref="HistoryBoard"/>.</summary>
public sealed class HistoryRegister
{
    /// <summary>Gets or sets the key.</summary>
    [DatabaseGenerated(DatabaseGeneratedOption.None)]
    public int Id { get; set; }

    /// <summary>Gets or sets the board.</summary>
    public int BoardId { get; set; }

    /// <summary>Gets or sets the board.</summary>
    public HistoryBoard? Board { get; set; }

    /// <summary>Gets or sets how often the register's only writer has written, or tried to; it never falls.</summary>
    public long Version { get; set; }
}
