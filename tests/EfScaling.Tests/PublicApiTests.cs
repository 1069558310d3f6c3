using System.Reflection;
using System.Runtime.CompilerServices;
using EfScaling.AspNetCore;
using EfScaling.Diagnostics;

namespace EfScaling.Tests;

public sealed class PublicApiTests
{
    private const string UpdateVariable = "EFSCALING_UPDATE_PUBLIC_API";

    // One list for each package that users name types of.
    private static readonly Dictionary<string, Assembly> _assemblies = new()
    {
        ["PublicApi.txt"] = typeof(EfScalingEventId).Assembly,
        ["PublicApi.AspNetCore.txt"] = typeof(EfScalingAspNetCoreEventId).Assembly,
    };

    public static TheoryData<string> Files => [.. _assemblies.Keys];

    [Theory]
    [MemberData(nameof(Files))]
    public void Public_members_are_those_of_the_list(string name)
    {
        var file = Path.Combine(SourceTree.Root, "tests", "EfScaling.Tests", name);
        string[] actual = [.. _assemblies[name].GetExportedTypes().OrderBy(t => t.FullName, StringComparer.Ordinal).SelectMany(Describe)];
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            File.WriteAllLines(file, actual);
        }

        var listed = File.ReadAllLines(file);
        var differences = listed.Except(actual).Select(l => $"- {l}").Concat(actual.Except(listed).Select(l => $"+ {l}")).ToList();
        Assert.True(
            differences.Count == 0,
            $"The public members of {_assemblies[name].GetName().Name}.dll changed:\n{string.Join('\n', differences)}\nIf that is meant, run the tests once with {UpdateVariable}=1 and commit {name}.");
        Assert.Equal(listed, actual);
    }

    [Fact]
    public void No_public_type_lives_in_an_internal_namespace() =>
        Assert.DoesNotContain(_assemblies.Values.SelectMany(a => a.GetExportedTypes()), t => t.Namespace!.Split('.').Contains("Internal"));

    private static IEnumerable<string> Describe(Type type)
    {
        var name = NameOf(type, withNamespace: true);
        yield return $"{KindOf(type)} {name}{Bases(type)}";

        const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        foreach (var line in type.GetMembers(Declared).Where(IsVisible).Select(m => $"{name}.{Describe(m)}").Order(StringComparer.Ordinal))
        {
            yield return line;
        }
    }

    private static string Bases(Type type)
    {
        Type[] bases = type.IsEnum ? [] : [.. new[] { type.BaseType }.OfType<Type>().Where(b => b != typeof(object) && b != typeof(ValueType)), .. type.GetInterfaces().Except(type.BaseType?.GetInterfaces() ?? [])];
        return bases.Length == 0 ? string.Empty : $" : {string.Join(", ", bases.Select(b => NameOf(b)).Order(StringComparer.Ordinal))}";
    }

    private static bool IsVisible(MemberInfo member) => !member.IsDefined(typeof(CompilerGeneratedAttribute)) && member switch
    {
        FieldInfo field => (field.IsPublic || field.IsFamily) && !field.IsSpecialName,
        MethodBase { IsSpecialName: true } method => method.IsConstructor && method.IsPublic,
        MethodBase method => method.IsPublic || method.IsFamily,
        PropertyInfo property => property.GetAccessors().Length > 0,
        _ => member is not Type,
    };

    private static string Describe(MemberInfo member) => member switch
    {
        FieldInfo { IsLiteral: true } field => $"{field.Name} = {Convert.ToInt64(field.GetRawConstantValue(), null)}",
        FieldInfo field => $"{field.Name} : {NameOf(field.FieldType)}",
        PropertyInfo property => $"{property.Name} : {NameOf(property.PropertyType)} {{ {string.Join(' ', property.GetAccessors().Select(AccessorOf))} }}",
        ConstructorInfo constructor => $"new({Parameters(constructor)})",
        MethodInfo method => $"{method.Name}{Generics(method.GetGenericArguments())}({Parameters(method)}) : {NameOf(method.ReturnType)}{(method.IsStatic ? " static" : string.Empty)}",
        _ => member.ToString()!,
    };

    private static string AccessorOf(MethodInfo accessor) =>
        accessor.Name.StartsWith("get_", StringComparison.Ordinal) ? "get;"
        : accessor.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? "init;"
        : "set;";

    private static string Parameters(MethodBase method) =>
        (method.IsDefined(typeof(ExtensionAttribute)) ? "this " : string.Empty)
        + string.Join(", ", method.GetParameters().Select(p => $"{NameOf(p.ParameterType)} {p.Name}{(p.HasDefaultValue ? $" = {p.DefaultValue ?? "null"}" : string.Empty)}"));

    private static string KindOf(Type type) =>
        type.IsEnum ? "enum"
        : type.IsInterface ? "interface"
        : type.IsValueType ? "struct"
        : type is { IsAbstract: true, IsSealed: true } ? "static class"
        : type.IsSealed ? "sealed class"
        : "class";

    private static string NameOf(Type type, bool withNamespace = false)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return $"{NameOf(underlying)}?";
        }

        var name = type.Name.Split('`')[0];
        return (withNamespace ? $"{type.Namespace}.{name}" : name) + Generics(type.GetGenericArguments());
    }

    private static string Generics(Type[] arguments) => arguments.Length == 0 ? string.Empty : $"<{string.Join(", ", arguments.Select(a => NameOf(a)))}>";
}
