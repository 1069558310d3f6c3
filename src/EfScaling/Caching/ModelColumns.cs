using System.Data.Common;
using EfScaling.Caching.Rows;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Caching;

/// <summary>Tells which columns of a model keep the results that hold them from being kept.</summary>
internal static class ModelColumns
{
    private const string LookAnnotation = "EfScaling:CacheColumnsReported";

    /// <summary>Returns whether nobody has asked this of the model before.</summary>
    public static bool IsFirstLook(IModel model)
    {
        if (model.FindRuntimeAnnotation(LookAnnotation) is not null)
        {
            return false;
        }

        var mine = new object();
        return ReferenceEquals(model.GetOrAddRuntimeAnnotationValue(LookAnnotation, static own => own!, mine), mine);
    }

    /// <summary>Returns the properties whose columns have types that cannot be kept, each as <c>Entity.Property (type)</c>, in order.</summary>
    /// <param name="model">The model, with its mapping to tables and views.</param>
    /// <param name="codecs">The types that can be kept.</param>
    public static IReadOnlyList<string> FindUncacheable(IModel model, RowCodecs codecs) =>
    [
        .. model.GetRelationalModel().Tables.Cast<ITableBase>().Concat(model.GetRelationalModel().Views)
            .SelectMany(t => t.Columns)
            .SelectMany(c => c.PropertyMappings)
            .Where(m => m.TypeMapping.GetDataReaderMethod() is var method && (method.DeclaringType != typeof(DbDataReader) || codecs.Find(method.ReturnType) is null))
            .Select(m => $"{m.Property.DeclaringType.DisplayName()}.{m.Property.Name} ({m.TypeMapping.StoreType})")
            .Distinct()
            .Order(StringComparer.Ordinal),
    ];
}
