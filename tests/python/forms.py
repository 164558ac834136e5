"""What expressions of random functions look like, by their type.

Owns: `FORMS`. «int», «str» and so on are holes for expressions of a type; «num» for int or float,
«any» for anything, «plain», «whole» and «real» for names, «cmp» for a comparison, «#int» for a
literal; «x:int:bool» for an expression of type bool in which there is an x of type int.
Does not know: how they are filled.
"""

from __future__ import annotations

_SPAN = "«datetime.timedelta»"
FORMS: dict[str, tuple[str, ...]] = {
    "int": (
        *("(«int» + «int»)", "(«int» - «int»)", "(«int» * «int»)", "(«int» // «int»)"),
        *("(«int» % «int»)", "(-«int»)", "abs(«int»)", "min(«int», «int»)", "max(«int», «int»)"),
        *("len(«str»)", "len(«list[int]»)", "int(«float»)", "int(«bool»)", "round(«float»)"),
        *("(«int» & «int»)", "(«int» | «int»)", "(«int» ^ «int»)", "(~«int»)", "(«int» << «#int»)"),
        *("(«int» >> «#int»)", "(«int» ** 2)", "«str».find(«str»)", "«str».count(«str»)"),
        *("«list[int]»[«int»]", "sum(«list[int]»)", "«list[int]».count(«int»)", "ord(«str»)"),
        *("int(«str»)", "«datetime.date».year", "«datetime.date».weekday()", "(«bool» + «int»)"),
        "math.floor(«float»)",
        *("math.ceil(«float»)", "math.gcd(«int», «int»)", "math.isqrt(«int»)", "round(«int», -1)"),
        *("int(«str», 16)", "«list[int]».index(«int»)", "max(«list[int]»)", "min(«list[int]»)"),
        *("«str».rfind(«str»)", "«str».index(«str»)", "«datetime.date».toordinal()"),
        *("(«datetime.date» - «datetime.date»).days", "(«int»).bit_length()", "(«int» % 7)"),
        *(f"{_SPAN}.days", f"{_SPAN}.seconds", f"{_SPAN}.microseconds", f"({_SPAN} // {_SPAN})"),
        *("«datetime.datetime».hour", "«datetime.datetime».microsecond"),
        *("(«int» // 3600)", "(«int» // -1)", "sum([«x:int:int» for x in «list[int]»])"),
    ),
    "float": (
        *("(«float» + «float»)", "(«float» - «num»)", "(«num» * «float»)", "(«num» / «num»)"),
        *("(«float» // «num»)", "(«float» % «float»)", "(-«float»)", "abs(«float»)"),
        *("float(«int»)", "math.sqrt(«float»)", "math.exp(«float»)", "math.log(«float»)"),
        *("round(«float», 2)", "min(«float», «float»)", "max(«float», «float»)", "float(«str»)"),
        *("math.sin(«float»)", "math.floor(«float») * 0.5", "(«float» ** «float»)"),
        *("math.hypot(«float», «num»)", "math.log10(«float»)", "math.atan2(«float», «float»)"),
        *("math.fmod(«float», «float»)", "math.copysign(«float», «float»)", "math.pow(«num», 2)"),
        *(
            "(«float» // 0.5)",
            "(«float» / 3)",
            "(«datetime.date» - «datetime.date»).total_seconds()",
        ),
        *(f"{_SPAN}.total_seconds()", f"({_SPAN} / {_SPAN})"),
    ),
    "bool": (
        *("(«int» «cmp» «int»)", "(«float» «cmp» «float»)", "(«num» «cmp» «num»)"),
        *("(«str» «cmp» «str»)", "(«int» «cmp» «int» «cmp» «int»)", "(«bool» and «bool»)"),
        *("(«bool» or «bool»)", "(not «any»)", "(«any» is None)", "(«any» is not None)"),
        *("(«str» in «str»)", "(«int» in «list[int]»)", "(«str» not in ('a', 'Ab'))"),
        *("(«int» in (1, 2, 7))", "«str».startswith(«str»)", "«str».endswith(«str»)"),
        *(
            "«str».isdigit()",
            "«str».isalpha()",
            "bool(«any»)",
            "(«datetime.date» «cmp» «datetime.date»)",
        ),
        *(f"({_SPAN} «cmp» {_SPAN})", f"({_SPAN} «cmp» {_SPAN} «cmp» {_SPAN})", f"bool({_SPAN})"),
        f"({_SPAN} in («#datetime.timedelta», «#datetime.timedelta»))",
        f"({_SPAN} not in [«#datetime.timedelta», None])",
        "(«datetime.date» + «#datetime.timedelta» «cmp» «#datetime.date»)",
        "(«datetime.date» - «#datetime.date» «cmp» «#datetime.timedelta»)",
        "(«datetime.datetime» «cmp» «datetime.datetime»)",
        *("math.isnan(«float»)", "any(«x:int:bool» for x in «list[int]»)", "(«bool» == «bool»)"),
        "all([«x:int:bool» for x in «list[int]»])",
        *(
            "any(«list[int]»)",
            "all(«list[str]»)",
            "(«str» in «list[str]»)",
            "(«str» in ['a', «str»])",
        ),
        *(
            "(«list[int]» «cmp» «list[int]»)",
            "(«list[str]» == «list[str]»)",
            "(«float»).is_integer()",
        ),
        *(
            "(«int» not in «list[int]»)",
            "«str».isspace()",
            "«str».istitle()",
            "math.isfinite(«num»)",
        ),
    ),
    "str": (
        *("(«str» + «str»)", "«str».upper()", "«str».lower()", "«str».strip()", "«str»[«int»]"),
        *("«str»[«#int»:«#int»]", "«str»[«#int»:]", "«str»[::-1]", "«str».replace(«str», «str»)"),
        *("str(«any»)", "(«str» * «#int»)", "f'{«plain»}-{«plain»}'", "f'{«whole»:04d}'"),
        *(
            "f'{«plain»!r}{«real»:.2f}'",
            "«str».title()",
            "«str».zfill(5)",
            "«list[str]»[«int»]",
            "chr(«#int» + 60)",
        ),
        *(f"str({_SPAN})", f"repr({_SPAN})", "«datetime.datetime».isoformat()"),
        *("','.join([«x:str:str» for x in «list[str]»])", "«datetime.date».isoformat()"),
        *("«str».lstrip()", "«str».capitalize()", "«str».removeprefix(«str»)", "«str».casefold()"),
        *("«str».rjust(6)", "«str».center(7, '*')", "«str».swapcase()"),
        *(
            "«str»[«int»:«int»]",
            "«str»[«#int»::2]",
            "«str».strip('a ')",
            "repr(«any»)",
            "hex(«int»)",
        ),
        *(
            "f'{«plain»!r:>8}'",
            "f'{«real»:10.3e}'",
            "«datetime.date».strftime('%d.%m.%Y')",
            "bin(«int»)",
        ),
        *("«str».join(«list[str]»)", "max(«str», «str»)", "max(«list[str]»)", "f'{«whole»:,}'"),
    ),
    "list[int]": (
        *("[«int», «int»]", "(«list[int]» + «list[int]»)", "«list[int]»[«#int»:]"),
        *("[«x:int:int» for x in «list[int]»]", "[x for x in «list[int]» if «x:int:bool»]"),
        *("sorted(«list[int]»)", "[len(x) for x in «list[str]»]", "«list[int]»[::-1]"),
        "[«x:int:int» for x in range(4)]",
        *("(«list[int]» * 2)", "«list[int]»[«int»:«int»]", "«list[int]»[::2]"),
    ),
    "list[str]": (
        *("«str».split(',')", "[«str»]", "[«x:str:str» for x in «list[str]»]", "«list[str]»[1:]"),
        *("(«list[str]» + «list[str]»)", "«str».split()", "[x for x in «list[str]» if x]"),
        *(
            "«str».split('a', 1)",
            "«str».rsplit(',', 1)",
            "«str».splitlines()",
            "sorted(«list[str]»)",
        ),
        "list(«str»)",
    ),
    "datetime.date": (
        "datetime.date(«#int» + 2000, 1, 1)",
        "datetime.date.fromordinal(«#int» + 730000)",
        "datetime.date.fromisoformat(«str»)",
        "min(«datetime.date», «datetime.date»)",
        "(«datetime.date» if «bool» else «datetime.date»)",
        *(f"(«datetime.date» + {_SPAN})", f"({_SPAN} + «datetime.date»)"),
        *(f"(«datetime.date» - {_SPAN})", "«datetime.datetime».date()"),
        "(«datetime.date» + datetime.timedelta(days=«int»))",
    ),
    "datetime.datetime": (
        *(f"(«datetime.datetime» + {_SPAN})", f"({_SPAN} + «datetime.datetime»)"),
        *(f"(«datetime.datetime» - {_SPAN})", "max(«datetime.datetime», «datetime.datetime»)"),
        "(«datetime.datetime» + datetime.timedelta(hours=«int»))",
        "datetime.datetime(«#int» + 2000, 1, 1)",
    ),
    "datetime.timedelta": (
        *("(«datetime.date» - «datetime.date»)", "(«datetime.datetime» - «datetime.datetime»)"),
        *(f"({_SPAN} + {_SPAN})", f"({_SPAN} - {_SPAN})", f"({_SPAN} % {_SPAN})", f"(-{_SPAN})"),
        *(f"({_SPAN} * «int»)", f"(«int» * {_SPAN})", f"({_SPAN} // «int»)", f"abs({_SPAN})"),
        *(f"({_SPAN} * «float»)", f"({_SPAN} / «num»)", f"min({_SPAN}, {_SPAN})", f"(+{_SPAN})"),
        *("datetime.timedelta(days=«int»)", "datetime.timedelta(«int», «int»)"),
        *("datetime.timedelta(hours=«#int», minutes=«int»)", "datetime.timedelta(weeks=«#int»)"),
        *("datetime.timedelta(seconds=«float»)", "datetime.timedelta(«#int», milliseconds=«num»)"),
    ),
}
"""What an expression of each type may look like."""
