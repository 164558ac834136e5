"""A wide table of page views as in ClickBench: 105 columns, made from a seed, skewed like a web's.

The names and types are those of ClickBench's `hits`. Values follow Zipf's law: few counters, users,
pages and phrases have most rows; most rows have no search phrase; a fifth of the columns is nearly
always the same. One counter (62) has the rows of July 2013 that the last queries ask for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench import outside

BATCH_ROWS = 500_000


def names(text: str) -> list[str]:
    """What is separated by spaces."""
    return text.split()


SMALL = names(
    """
    JavaEnable GoodEvent CounterClass OS UserAgent IsRefresh RefererCategoryID URLCategoryID
    ResolutionWidth ResolutionHeight ResolutionDepth FlashMajor FlashMinor NetMajor NetMinor
    UserAgentMajor CookieEnable JavascriptEnable IsMobile MobilePhone TraficSourceID
    SearchEngineID AdvEngineID IsArtifical WindowClientWidth WindowClientHeight ClientTimeZone
    SilverlightVersion1 SilverlightVersion2 SilverlightVersion4 IsLink IsDownload IsNotBounce
    IsOldCounter IsEvent IsParameter DontCountHits WithHash Age Sex Income Interests Robotness
    HistoryLength HTTPError SocialSourceNetworkID ParamCurrencyID HasGCLID
    """
)
"""SMALLINT columns."""

MIDDLE = names(
    """
    CounterID ClientIP RegionID RefererRegionID URLRegionID IPNetworkID SilverlightVersion3
    CodeVersion HID RemoteIP WindowName OpenerName SendTiming DNSTiming ConnectTiming
    ResponseStartTiming ResponseEndTiming FetchTiming CLID
    """
)
"""INTEGER columns."""

LARGE = names("WatchID UserID FUniqID ParamPrice RefererHash URLHash")
"""BIGINT columns."""

TEXTS = names(
    """
    Title URL Referer FlashMinor2 UserAgentMinor MobilePhoneModel Params SearchPhrase PageCharset
    OriginalURL HitColor BrowserLanguage BrowserCountry SocialNetwork SocialAction
    SocialSourcePage ParamOrderID ParamCurrency OpenstatServiceName OpenstatCampaignID
    OpenstatAdID OpenstatSourceID UTMSource UTMMedium UTMCampaign UTMContent UTMTerm FromTag
    """
)
"""VARCHAR columns."""

TIMES = names("EventTime ClientEventTime LocalEventTime")

COUNTER = 62
"""The counter of the last seven queries."""

FIRST_DAY = np.datetime64("2013-07-01", "s")
DAYS = 31

DISTINCT = {
    name: count
    for count, columns in {
        3: "HTTPError",
        10: "TraficSourceID",
        20: "AdvEngineID",
        24: "ClientTimeZone",
        60: "OS ResolutionWidth ResolutionHeight Age UserAgentMajor SearchEngineID",
        80: "UserAgent MobilePhone",
        200: "CodeVersion",
        2000: "WindowClientWidth WindowClientHeight Interests",
        6000: "RegionID CounterID ResponseEndTiming",
        100_000: "IPNetworkID SendTiming",
    }.items()
    for name in columns.split()
}
"""How many values a column of numbers has; else 2, 200,000 for INTEGER."""

MOSTLY_ZERO = names(
    """
    AdvEngineID MobilePhone SearchEngineID IsLink IsDownload DontCountHits IsRefresh IsArtifical
    HTTPError SocialSourceNetworkID ParamCurrencyID ParamPrice HasGCLID IsEvent IsParameter
    OpenerName SilverlightVersion3
    """
)

WORDS = (
    *("auto", "news", "weather", "buy", "cheap", "house", "film", "online", "game", "music"),
    *("recipe", "map", "forum", "photo", "work", "bank", "phone", "school", "travel", "google"),
)

Ints = npt.NDArray[np.int64]


def path(rows: int) -> Path:
    """The table's Parquet file, made if it is not there."""
    target = outside.folder() / f"hits-{rows}.parquet"
    if not target.exists():
        fresh = target.with_suffix(".part")
        writer: pq.ParquetWriter | None = None
        for number, start in enumerate(range(0, rows, BATCH_ROWS)):
            table = _batch(number, min(BATCH_ROWS, rows - start), rows)
            writer = writer or pq.ParquetWriter(fresh, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
        fresh.rename(target)
    return target


def _skewed(random: np.random.Generator, distinct: int, rows: int) -> Ints:
    """Ranks from 0 by Zipf's law; small ones are frequent."""
    drawn = np.exp(random.uniform(0, np.log(distinct + 1), rows)).astype(np.int64) - 1
    return np.minimum(drawn, distinct - 1)


def _scattered(ranks: Ints, bits: int) -> Ints:
    """Ranks spread over integers of so many bits, the same rank to the same number."""
    mixed = (ranks.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(64 - bits)).astype(np.int64)


def hash_of(rank: int) -> int:
    """The hash of the page of a rank, which the queries ask for."""
    return int(_scattered(np.array([rank], np.int64), 62)[0])


def _batch(number: int, rows: int, total: int) -> pa.Table:
    """One row group: the same seed gives the same rows."""
    random = np.random.default_rng((2013, number))
    columns: dict[str, pa.Array] = {}
    seconds = np.sort(random.integers(0, DAYS * 86_400, rows))
    for name in TIMES:
        late = 0 if name == "EventTime" else random.integers(-600, 600, rows)
        columns[name] = pa.array(FIRST_DAY + (seconds + late), pa.timestamp("us"))
    columns["EventDate"] = columns["EventTime"].cast(pa.date32())
    for names, type_ in ((SMALL, pa.int16()), (MIDDLE, pa.int32())):
        for name in names:
            default = 2 if type_ == pa.int16() else 200_000
            values = _skewed(random, DISTINCT.get(name, default), rows)
            columns[name] = pa.array(_zeroed(random, name, values), type_)
    counters = _skewed(random, DISTINCT["CounterID"], rows)
    columns["CounterID"] = pa.array(np.where(counters == 2, COUNTER, counters + 100), pa.int32())
    users = max(10, total // 6)
    columns["UserID"] = pa.array(_scattered(_skewed(random, users, rows), 62))
    columns["ClientIP"] = pa.array(_scattered(_skewed(random, users, rows), 31), pa.int32())
    columns["WatchID"] = pa.array(_scattered(np.arange(rows) + number * BATCH_ROWS, 62))
    columns["FUniqID"] = pa.array(_scattered(_skewed(random, users, rows), 62))
    columns["ParamPrice"] = pa.array(_zeroed(random, "ParamPrice", _skewed(random, 9999, rows)))
    pages = _skewed(random, max(10, total // 5), rows)
    sources = _zeroed(random, "Referer", _skewed(random, max(10, total // 5), rows) + 1)
    columns["URLHash"] = pa.array(_scattered(pages, 62))
    columns["RefererHash"] = pa.array(_scattered(sources, 62))
    columns |= _texts(random, rows, total, pages, sources)
    order = ["WatchID", *SMALL[:1], "Title", *SMALL[1:2], "EventTime", "EventDate"]
    order += [name for name in columns if name not in order]
    return pa.table({name: columns[name] for name in order})


def _zeroed(random: np.random.Generator, name: str, values: Ints) -> Ints:
    """Values with zeros for most rows, in columns that have them."""
    share = 0.95 if name in MOSTLY_ZERO else 0.3 if name == "Referer" else 0.0
    return np.where(random.random(len(values)) < share, 0, values) if share else values


def _texts(
    random: np.random.Generator, rows: int, total: int, pages: Ints, sources: Ints
) -> dict[str, pa.Array]:
    """The VARCHAR columns; pages and sources of a row have the same rank in all that tells them."""
    found = {
        "URL": _drawn([_address(rank) for rank in range(int(pages.max()) + 1)], pages),
        "Title": _drawn([_title(rank) for rank in range(5000)], pages % 5000),
        "Referer": _drawn(["", *map(_address, range(int(sources.max())))], sources),
        "OriginalURL": _drawn(["", *map(_address, range(2000))], _rare(random, rows, 2000, 0.9)),
    }
    phrases = ["", *(_phrase(rank) for rank in range(max(10, total // 20)))]
    found["SearchPhrase"] = _drawn(phrases, _rare(random, rows, len(phrases) - 1, 0.87))
    models = ["", *(f"model {rank}" for rank in range(160))]
    found["MobilePhoneModel"] = _drawn(models, _rare(random, rows, 160, 0.95))
    for name in TEXTS:
        if name not in found:
            words = ["", *(f"{name.lower()}{rank}" for rank in range(30))]
            found[name] = _drawn(words, _rare(random, rows, 30, 0.9))
    return found


def _rare(random: np.random.Generator, rows: int, distinct: int, empty: float) -> Ints:
    """Ranks from 1, zero for the share of the rows that has none."""
    ranks = _skewed(random, distinct, rows) + 1
    return np.where(random.random(rows) < empty, 0, ranks)


def _drawn(words: list[str], ranks: Ints) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(ranks))


def _word(rank: int) -> str:
    return WORDS[rank % len(WORDS)]


def _address(rank: int) -> str:
    """A page: few hosts, long paths."""
    host = f"{_word(rank % 37)}{rank % 37}.example"
    www = "www." if rank % 3 else ""
    return f"http://{www}{host}/{_word(rank * 7)}/{_word(rank * 3)}-{rank:08d}?page={rank % 97}"


def _title(rank: int) -> str:
    brand = "Google" if rank % 41 == 7 else _word(rank * 13).title()
    return f"{_word(rank).title()} and {_word(rank * 3)} {rank} - {brand}"


def _phrase(rank: int) -> str:
    return f"{_word(rank)} {_word(rank // 7)} {rank}"
