namespace EfScaling.Tests.Models;

internal class Animal
{
    public int Id { get; set; }

    public string? Name { get; set; }
}

internal sealed class Cat : Animal
{
    public int Lives { get; set; }
}

internal sealed class Dog : Animal
{
    public string? Toy { get; set; }
}

internal abstract class Vehicle
{
    public int Id { get; set; }
}

internal sealed class Car : Vehicle
{
    public int Doors { get; set; }
}

internal sealed class Bike : Vehicle
{
    public int Gears { get; set; }
}

internal sealed class Document
{
    public int Id { get; set; }

    public string? Title { get; set; }

    public int Version { get; set; }

    public byte[]? RowVersion { get; set; }
}

internal sealed class House
{
    public int Id { get; set; }

    public string? Street { get; set; }

    public Door? Door { get; set; }

    public List<Room> Rooms { get; set; } = [];
}

internal sealed class Door
{
    public string? Colour { get; set; }
}

internal sealed class Room
{
    public string? Name { get; set; }
}

internal sealed class Person
{
    public int Id { get; set; }

    public string? Name { get; set; }

    public PersonDetails? Details { get; set; }
}

internal sealed class PersonDetails
{
    public int Id { get; set; }

    public string? Biography { get; set; }
}

internal sealed class Student
{
    public int Id { get; set; }

    public List<Course> Courses { get; set; } = [];
}

internal sealed class Course
{
    public int Id { get; set; }

    public List<Student> Students { get; set; } = [];
}
