using System.ComponentModel.DataAnnotations.Schema;

namespace EfScaling.Testing.History;

/// <summary>The registers of one client of a <see cref="HistoryRun"/>.</summary>
public sealed class HistoryBoard
{
    /// <summary>Gets or sets the client's number.</summary>
    [DatabaseGenerated(DatabaseGeneratedOption.None)]
    public int Id { get; set; }

    /// <summary>Gets the registers.</summary>
    public ICollection<HistoryRegister> Registers { get; } = [];
}
