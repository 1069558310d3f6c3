namespace EfScaling.Sample.Sharded;

/// <summary>A user has signed in.</summary>
internal sealed class SignIn
{
    public Guid Id { get; set; }

    public int UserId { get; set; }
}
