"""What expressions of random functions look like, by their type.

Owns: `FORMS`. «int», «str» and so on are holes for expressions of a type; «num» for int or float,
«any» for anything, «plain», «whole» and «real» for names, «cmp» for a comparison, «#int» for a
literal; «x:int:bool» for an expression of type bool in which there is an x of type int, and
«x:int,y:str:bool» for one with two names.
Does not know: how they are filled.
"""

from __future__ import annotations

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
        *("divmod(«int», «int»)[0]", "divmod(«int», 7)[1]", "divmod(«int», «int»)[1]"),
        "sum(«x:int,y:str:int» for x, y in zip(«list[int]», «list[str]»))",
        *("(«int» // 3600)", "(«int» // -1)", "sum([«x:int:int» for x in «list[int]»])"),
    ),
    "float": (
        *("(«float» + «float»)", "(«float» - «num»)", "(«num» * «float»)", "(«num» / «num»)"),
        *("(«float» // «num»)", "(«float» % «float»)", "(-«float»)", "abs(«float»)"),
        *("float(«int»)", "math.sqrt(«float»)", "math.exp(«float»)", "math.log(«float»)"),
        *("round(«float», 2)", "min(«float», «float»)", "max(«float», «float»)", "float(«str»)"),
        *("divmod(«float», «num»)[1]", "divmod(«num», «float»)[0]"),
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
        "any(«i:int,x:str:bool» for i, x in enumerate(«list[str]»))",
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
        "[«i:int,x:int:int» for i, x in enumerate(«list[int]») if «i:int,x:int:bool»]",
        "[«i:int,x:str:int» for i, x in enumerate(«list[str]», «#int»)]",
        "[«x:int,y:str:int» for x, y in zip(«list[int]», «list[str]») if «x:int,y:str:bool»]",
        "[«x:int,y:int:int» for x, y in zip(«list[int]», range(3))]",
        "[«x:int,y:int:int» for x in «list[int]» for y in «x:int:list[int]»]",
        "[«x:int,y:int:int» for x in «list[int]» if «x:int:bool» for y in «list[int]»]",
        "[«x:int,y:str:int» for x in range(3) for y in «list[str]» if «x:int,y:str:bool»]",
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
        "[«x:int,y:str:str» for x, y in zip(«list[int]», «list[str]») if x if «x:int,y:str:bool»]",
        "[«i:int,x:int,y:str:str» for i, (x, y) in enumerate(zip(«list[int]», «str»))]",
        "[«x:str,y:str:str» for x in «list[str]» for y in x.split(',')]",
        "[«x:str,y:str:str» for x in «list[str]» for i, y in enumerate(x) if «i:int,y:str:bool»]",
        "[z for x in range(2) for y in «list[str]» for z in «x:int,y:str:list[str]»]",
    ),
    "datetime.date": (
        "datetime.date(«#int» + 2000, 1, 1)",
        "datetime.date.fromordinal(«#int» + 730000)",
        "datetime.date.fromisoformat(«str»)",
        "min(«datetime.date», «datetime.date»)",
        "(«datetime.date» if «bool» else «datetime.date»)",
    ),
}
"""What an expression of each type may look like."""
