"""What expressions of random functions look like, by their type.

Owns: `FORMS`. «int», «str» and so on are holes for expressions of a type; «num» for int or float,
«any» for anything, «plain», «whole» and «real» for names, «cmp» for a comparison, «#int» for a
literal; «x:int:bool» for an expression of type bool in which there is an x of type int; «dict» for
a constant dict from str to int and «set» for a constant set of str. `CONSTANTS`: what stands around
every program. Does not know: how they are filled.
"""

from __future__ import annotations

import datetime
import math
from typing import Any

CONSTANTS: dict[str, Any] = {
    "CODES": {"a": 1, "Ab": 2, "": 0, " x ": -7, "ß": 2**53 + 1, "12": 7, "😀z": 2**63 - 1},
    "NAMES": {1: "a", 2: "Ab", 0: "", -1: "ß", 7: "a,b,,c", 2**63 - 1: "last"},
    "RATES": {"a": 0.5, "": -0.0, "Ab": math.inf, "-7": math.nan, "3.5": 1e300},
    "SIGNS": {True: "yes", False: ""},
    "LISTS": {1: [1, 2], 2: [], 3: [7, None], 0: None},
    "PARTS": {"a": ["x", "y"], "": []},
    "DAYS": {datetime.date(2020, day, day): day for day in range(1, 13)},
    "STARTS": {"a": datetime.date(2020, 2, 29), "Ab": None},
    "WORDS": frozenset({"a", "Ab", "naïve", None}),
    "PRIMES": {2, 3, 5, 7},
}

FORMS: dict[str, tuple[str, ...]] = {
    "int": (
        *("«dict»[«str»]", "«dict».get(«str»)", "«dict».get(«str», «int»)", "len(«dict»)"),
        *("DAYS[«datetime.date»]", "DAYS.get(«datetime.date», «int»)", "sum(«dict».values())"),
        *("max(NAMES)", "sum([«x:int:int» for x in NAMES])", "sum(PRIMES)", "len(WORDS)"),
        *("«dict»['a']", "min(NAMES.keys())"),
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
        *("(«int» // 3600)", "(«int» // -1)", "sum([«x:int:int» for x in «list[int]»])"),
    ),
    "float": (
        *("RATES[«str»]", "RATES.get(«str»)", "RATES.get(«str», «float»)", "max(RATES.values())"),
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
    ),
    "bool": (
        *("(«str» in «dict»)", "(«str» not in «dict»)", "(«int» in NAMES)", "(«bool» in NAMES)"),
        *(
            "(«int» in «dict».values())",
            "(«str» in «set»)",
            "(«int» not in PRIMES)",
            "(None in NAMES)",
        ),
        *(
            "(«datetime.date» in DAYS)",
            "(«str» in WORDS)",
            "(«str» in RATES.keys())",
            "(«int» in SIGNS)",
        ),
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
        *("NAMES[«int»]", "NAMES.get(«int»)", "NAMES.get(«int», «str»)", "SIGNS[«bool»]"),
        *("NAMES[«bool»]", "NAMES.get(«bool», «str»)", "SIGNS[«int»]", "SIGNS.get(«int»)"),
        *("','.join(«dict»)", "«str».join(NAMES.values())", "sorted(«set»)[0]", "max(«dict»)"),
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
        *("LISTS[«int»]", "LISTS.get(«int»)", "LISTS.get(«int», «list[int]»)", "list(NAMES)"),
        *(
            "list(«dict».values())",
            "[«x:int:int» for x in NAMES if «x:int:bool»]",
            "sorted(PRIMES)",
        ),
        "[«dict»[x] for x in «dict»]",
        *("[«int», «int»]", "(«list[int]» + «list[int]»)", "«list[int]»[«#int»:]"),
        *("[«x:int:int» for x in «list[int]»]", "[x for x in «list[int]» if «x:int:bool»]"),
        *("sorted(«list[int]»)", "[len(x) for x in «list[str]»]", "«list[int]»[::-1]"),
        "[«x:int:int» for x in range(4)]",
        *("(«list[int]» * 2)", "«list[int]»[«int»:«int»]", "«list[int]»[::2]"),
    ),
    "list[str]": (
        *("PARTS[«str»]", "PARTS.get(«str», [])", "list(«dict»)", "sorted(«set»)"),
        "[x for x in «dict» if «x:str:bool»]",
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
        *("STARTS[«str»]", "STARTS.get(«str», «datetime.date»)", "max(DAYS)"),
        "datetime.date(«#int» + 2000, 1, 1)",
        "datetime.date.fromordinal(«#int» + 730000)",
        "datetime.date.fromisoformat(«str»)",
        "min(«datetime.date», «datetime.date»)",
        "(«datetime.date» if «bool» else «datetime.date»)",
    ),
}
"""What an expression of each type may look like."""
