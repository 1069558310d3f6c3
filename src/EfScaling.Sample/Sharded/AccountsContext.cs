using Microsoft.EntityFrameworkCore;

namespace EfScaling.Sample.Sharded;

/// <summary>The accounts, in a database of their own: another purpose, another cluster, and the same consistency session.</summary>
internal sealed class AccountsContext(DbContextOptions<AccountsContext> options) : DbContext(options)
{
    public DbSet<SignIn> SignIns => Set<SignIn>();
}
