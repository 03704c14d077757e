"""What is wrong with a value that a person gave, in words for them and not in the library's."""

from pydantic_core import ErrorDetails

_TIME = "give a time with its zone, such as 2026-01-31T08:00:00Z"
_SETTINGS = "give settings, each as NAME: VALUE"
_SAID = {
    "literal_error": "give {expected}",
    "greater_than": "give more than {gt}",
    "greater_than_equal": "give at least {ge}",
    "less_than_equal": "give at most {le}",
    "finite_number": "give a finite number",
    "missing": "is missing; add it",
    "extra_forbidden": "is not known here; check the spelling, or leave it out",
    "string_type": "give text; in quotes, if it looks like a number",
    "string_too_short": "must not be empty",
    "bool": "give true or false",
    "int": "give a whole number",
    "float": "give a number",
    "datetime": _TIME,
    "timezone": _TIME,
    "list": "give a list",
    "tuple": "give a list",
    "dict": _SETTINGS,
    "model": _SETTINGS,
}
"""By pydantic's name of a problem, or what that begins with."""


def in_words(problem: ErrorDetails) -> str:
    sort = problem["type"]
    said = _SAID.get(sort) or _SAID.get(sort.partition("_")[0])
    if said:
        return said.format(**problem.get("ctx", {}))
    return str(problem["msg"]).removeprefix("Value error, ")
