namespace EfScaling.Projections;

/// <summary>Checks what an application built.</summary>
internal static class ProjectionView
{
    /// <summary>Returns the view if it is that of the key.</summary>
    /// <exception cref="InvalidOperationException">The view has another key, and would be taken for that one's.</exception>
    public static TView? Checked<TView, TKey>(string name, TKey key, TView? view, Func<TView, TKey> keyOf)
        where TView : class
        where TKey : notnull =>
        view is null || EqualityComparer<TKey>.Default.Equals(keyOf(view), key)
            ? view
            : throw new InvalidOperationException($"The projection '{name}' built a view with another key than the one it was asked for. Set the property that Key(...) names in Build(...).");
}
