"""A dict is seen to hold what it held, though none of its values is touched."""

import types

import pytest

from proctor.inside.dictionaries import Held, entries_can_be_read, holds


@pytest.fixture(params=["by addresses", "one by one"])
def namespace(request, monkeypatch):
    if request.param == "one by one":
        monkeypatch.setattr("proctor.inside.dictionaries.entries_can_be_read", lambda: False)
    return {f"name_{number}": object() for number in range(300)}


def test_dicts_of_this_python_can_be_read():
    assert entries_can_be_read()


def test_an_untouched_dict_holds_all(namespace):
    assert Held(namespace).is_held_by(namespace)


@pytest.mark.parametrize("name", ["name_0", "name_150", "name_299"])
def test_another_value_is_seen(namespace, name):
    held = Held(namespace)
    old, namespace[name] = namespace[name], object()
    assert not held.is_held_by(namespace)
    assert held.changed(namespace) == [name]
    namespace[name] = old
    assert held.is_held_by(namespace)


def test_a_name_that_is_gone_is_seen_and_one_that_came_back(namespace):
    held = Held(namespace)
    old = namespace.pop("name_7")
    assert not held.is_held_by(namespace)
    namespace["name_7"] = old  # at the end now
    assert held.is_held_by(namespace)
    namespace["name_7"] = object()
    assert not held.is_held_by(namespace)


def test_new_names_count_only_where_nothing_else_may_be(namespace):
    held = Held(namespace)
    for number in range(2000):  # more than the table had room for
        namespace[f"new_{number}"] = number
    assert held.is_held_by(namespace)
    assert not held.is_held_by(namespace, alone=True)
    namespace["name_5"] = object()
    assert not held.is_held_by(namespace)


def test_changes_after_new_names_are_seen(namespace):
    held = Held(namespace)
    namespace["new"] = 1
    assert held.is_held_by(namespace)
    namespace["name_299"] = None
    assert held.changed(namespace) == ["name_299"]
    assert not held.is_held_by(namespace)


def test_a_name_of_another_type_changes_the_table_alone(namespace):
    held = Held(namespace)
    namespace[1] = "not a text"
    assert held.is_held_by(namespace)


def test_another_dict_is_compared_by_what_it_holds(namespace):
    held = Held(namespace)
    assert held.is_held_by(dict(namespace))
    assert not held.is_held_by({**namespace, "name_3": None})


def test_a_class_and_a_module_are_looked_into():
    kind = type("Kind", (), {"first": 1, "second": 2})
    held = Held(vars(kind))
    assert held.is_held_by(vars(kind), alone=True)
    kind.second = 3
    assert held.changed(vars(kind)) == ["second"]
    assert not held.is_held_by(vars(kind))
    module = types.ModuleType("module")
    held = Held(vars(module))
    module.__doc__ = "new"
    assert not held.is_held_by(vars(module))


def test_one_by_one_is_enough_without_addresses():
    value = object()
    assert holds({"a": value, "b": 1}, {"a": value})
    assert not holds({"a": object()}, {"a": value})
    assert not holds({}, {"a": value})
