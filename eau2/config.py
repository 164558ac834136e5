"""Every limit, size and timeout of eau2, in one place, units last in the names.

Owns: the numbers, and reading a number of bytes with its unit. Does not know: who obeys them.
"""

from __future__ import annotations

import re

from eau2.errors import UsageError
from eau2.records import Record

DEFAULT_CHUNK_ROWS = 1_048_576
"""Rows of a chunk unless SET chunk_rows says otherwise: a kernel call has a fixed cost."""


class Limits(Record, frozen=True):
    """Bounds on what a statement, a file or a wait may take."""

    statement_chars: int = 1_048_576
    expression_depth: int = 250
    expression_nodes: int = 200_000
    alias_nodes: int = 20_000
    """Nodes of expressions that one statement repeats because it names them by their aliases."""
    made_text_chars: int = 16_777_216
    """Of one text that repeat, lpad or rpad makes."""
    folded_text_chars: int = 65_536
    """A longer text that constants make is made where the statement runs."""
    repeated_nodes: int = 200
    """A filter that would grow beyond so many nodes below a projection stays above it."""
    identifier_chars: int = 200
    chunk_rows_max: int = 16_777_216
    kernel_call_rows: int = 8_388_608
    """Rows one kernel call takes: about half a second of work, the grain of cancellation."""
    result_run_rows: int = 1_048_576
    """Rows that one kernel call gives to a result which is read as it comes."""
    in_memory_engine_rows: int = 60_000
    """Up to this many input rows the in-memory engine is quicker than the streaming one."""
    window_frame_rows: int = 50_000_000
    """Rows of all distinct frames together that a window aggregate without a quicker way reads."""
    function_parameters: int = 100
    """Of one user's function."""
    temporary_function_bytes: int = 67_108_864
    """Of the functions, with their sources, that one connection has in memory."""
    functions_decoded: int = 256
    """Users' functions whose operator form is kept decoded."""
    function_bytes: int = 1_048_576
    """Of one user's function in its operator form."""
    function_chars: int = 65_536
    """Of the source of one function in Python."""
    function_depth: int = 150
    """Of an expression in Python as it is written."""
    function_rounds: int = 64
    """A loop over a constant range of more rounds is not written out, but goes over a list."""
    function_written_nodes: int = 4_000
    """Of a loop that is written out, as nodes of syntax."""
    function_steps: int = 5_000
    """Statements of one function, its loops and branches written out."""
    function_nested_rounds: int = 250_000
    """Of loops in one another in Python: the product of the lengths of what they go over.

    A round takes about a millisecond, so it is some minutes.
    """
    function_comprehension_elements: int = 1_000_000
    """Of a comprehension over lists in one another, before its conditions: the same product."""
    function_nodes: int = 20_000
    """Of the expressions of one function in Python, its loops written out."""
    mapping_entries: int = 10_000
    """Of one constant dict or set of a function in Python."""
    list_levels: int = 8
    """How many lists may lie in one another: INTEGER[][] has two levels."""
    list_reduce_steps: int = 10_000
    """Elements of a list that list_reduce takes one after the other."""
    list_elements: int = 100_000_000
    """Of all lists together that one batch of rows makes with range() or list_resize()."""
    unordered_result_rows: int = 100_000
    """A larger result without ORDER BY that is not a plain scan has no promised row order."""
    writer_wait_s: float = 5.0
    fragment_bytes: int = 8_388_608
    """A string of a statement's whole length may stand in it several times."""
    fragment_depth: int = 300
    fragment_nodes: int = 1_000_000
    series_rows: int = 1_000_000_000
    """Of one range() or generate_series()."""
    series_months: int = 100_000
    """Of a series of timestamps by months or years."""
    query_depth: int = 200
    """Queries inside queries: derived tables, subqueries in expressions, common tables."""
    view_depth: int = 32
    """Views that read one another."""
    views_read: int = 1_000
    """By one statement; a view that is read twice counts twice."""
    grouping_sets: int = 4_096
    """Of one GROUP BY: CUBE of 12 keys. Every row is copied as often."""
    pivot_columns: int = 1_000
    """Aggregates of one PIVOT: each is computed for each value."""
    pivot_columns_at_once: int = 20
    """Where a PIVOT gives more, its rows are grouped by their values before they are spread."""
    pivots_read: int = 32
    """Columns of PIVOTs in one statement whose values are read from the data."""
    unpivot_columns: int = 1_000
    """Entries of one UNPIVOT, each of which reads the table."""
    summarized_columns: int = 500
    """Of one SUMMARIZE, which computes nine aggregates for each."""
    plan_cache_entries: int = 256
    task_attempts: int = 4
    """Nodes at which one task of a query is tried, when the ones before have failed it."""
    task_end_s: float = 2.0
    """How long the end of a query waits for a task that was told to end."""
    plan_attempts: int = 3
    """How often a query begins anew because chunks that it was to read were replaced."""
    format_width_chars: int = 10_000
    """Of one value that format or printf writes: its width, and its digits after the point."""
    kept_text_chars: int = 4096
    """Statements with longer texts are parsed whenever they come."""
    recursion_rounds: int = 10_000
    """A recursive query that has not ended after so many rounds is believed not to end."""
    recursion_rows: int = 100_000_000
    """Rows of all rounds of a recursive query together; they are held in memory."""
    files_in_memory: int = 64
    """Files that are not Parquet and were named in FROM: this many stay read for the next time."""
    schema_sample_rows: int = 500
    """Rows of a .sor file that decide its column types."""
    ingest_batch_rows: int = 65_536
    zone_rows: int = 65_536
    """Of a chunk, of which it is known what they hold. Fewer find hardly less to read."""


LIMITS = Limits()


class WireLimits(Record, frozen=True):
    """Bounds on connections. The sizes that belong to the format itself are in net/header.py."""

    connect_s: float = 5.0
    hello_s: float = 5.0
    """From accepting a connection to its complete hello."""
    frame_s: float = 60.0
    """From a frame's first byte to its last."""
    stall_s: float = 60.0
    """A peer that takes none of the bytes waiting for it is given up after this time."""
    linger_s: float = 1.0
    """How long a connection that was refused is kept so that its peer can read why."""
    ping_every_s: float = 2.0
    ping_answer_s: float = 10.0
    deadline_s: float = 3600.0
    """Of a request that names none."""
    deadline_max_s: float = 86_400.0
    drain_s: float = 60.0
    """How long a stopping server lets requests under way end."""
    connections: int = 2_000
    requests_per_connection: int = 128
    unread_bytes: int = 256 << 20
    """A connection with more than this received and not taken opens no further requests."""
    queue_bytes: int = 8 << 20
    """Senders wait while more than this waits to go out on a connection."""


WIRE = WireLimits()

NODE_WIRE = WireLimits(connect_s=3.0, ping_every_s=1.0, ping_answer_s=3.0)
"""Of connections from one node to another: within 5 s what runs at a silent node runs elsewhere."""


class KernelLimits(Record, frozen=True):
    """Bounds on kernel processes and on what is said to them."""

    stack_bytes: int = 16 << 20
    """Of a Polars thread. Nested calls of several arguments take some 4 kB a level."""
    start_s: float = 60.0
    """From starting a kernel process to its first word."""
    talk_s: float = 30.0
    """For either side to take or give a message that has begun."""
    queue_s: float = 3600.0
    """How long a task without a deadline waits for a free kernel process."""
    stop_s: float = 5.0
    """How long the end of a killed process is waited for."""
    drain_s: float = 60.0
    """How long a host that closes lets running fragments end."""
    watch_s: float = 0.05
    """How often the memory of a running kernel process is looked at."""
    kept_rows: int = 4096
    """Of so many rows at most a query is kept as Polars runs it, with the rows."""
    inline_rows: int = 10_000
    """A node runs a harmless fragment over at most so many rows in its own process."""
    inline_bytes: int = 128 << 10
    """Rows of up to this size go through the socket, larger ones through shared memory."""
    control_bytes: int = 16 << 20
    bodies: int = 200
    fragments: int = 256
    """Fragments that a kernel process keeps decoded."""
    open_chunks: int = 1024
    """Chunk files that a kernel process keeps mapped."""
    shared_frames: int = 64
    """Frames whose shared memory a host keeps at hand while they live."""
    spares: int = 2
    spare_bytes: int = 128 << 20
    """How much shared memory, each up to which size, a host keeps for the next frames."""


KERNELS = KernelLimits()


class IndexLimits(Record, frozen=True):
    """When row lists are made and used."""

    rows: int = 65_536
    """Of a task over fewer rows nothing is looked up: to read them takes as long."""
    chunk_rows: int = 16_384
    """Chunks of fewer rows have no row lists, and are read whole."""
    rows_per_taken: int = 50
    """Row lists are used where at most one row in so many is wanted (2 %).

    Measured with a join of 6 million rows in chunks of a million, processor time: of four columns
    one row in 50 takes 0.57 of what the lookup join over all rows does, of ten columns 0.68; at one
    in 20 both take the same, at one in 10 the lists 1.5 times as much."""
    rows_per_key: int = 500
    """A column of which at most one value for so many rows is asked may be worth row lists."""
    asks: int = 2
    """So often a column is asked before row lists of it are made unasked."""
    vain_asks: int = 4
    """Row lists that were made unasked go after they were looked up so often and not used."""
    memory_share: float = 1 / 16
    """Of the machine's memory, for all row lists of a process and what joins leave to the next."""
    array_rows: int = 4096
    """What a join makes of fewer rows is not kept: to make it again takes a tenth of a
    millisecond."""
    remembered: int = 4096
    """Columns of chunks that were asked or refused, of which is remembered how often."""


INDEXES = IndexLimits()


class ControlLimits(Record, frozen=True):
    """Bounds on what nodes ask of one another to put, find and drop frames."""

    register_s: float = 4.0
    """For one question to a register."""
    change_s: float = 4.5
    """For a register to be read or changed, with all attempts."""
    publish_s: float = 30.0
    """The same for the change that makes a frame visible: all its chunks are sent by then."""
    append_s: float = 30.0
    """How long an append waits for others of the same name to end."""
    retry_s: float = 0.05
    retry_max_s: float = 1.0
    """The pause before the second attempt, which doubles, and its bound."""
    chunk_s: float = 60.0
    """For one chunk or manifest to be stored or fetched."""
    delete_s: float = 5.0
    source_s: float = 600.0
    """How long the next chunk of a put may take to come."""
    chunks_in_flight: int = 2
    """Chunks of a put that are held in memory and under way at once."""
    renew_s: float = 10.0
    lease_s: float = 60.0
    """A put that has not renewed its reservation for so long may be aborted by any node."""
    sweep_every_s: float = 10.0
    piece_bytes: int = 4 << 20
    file_bytes: int = 16 << 30
    """A chunk or manifest file is not larger."""
    manifests_cached: int = 256
    registers_page: int = 1000
    page_bytes: int = 512 << 10
    """Of the values in a page of registers; one value at least is in it."""
    register_bytes: int = 64 << 10
    """Of the value of one register."""
    votes_at_once: int = 256
    """Promises and values of registers that a voter makes durable together."""
    manifest_grace_s: float = 1.0
    """How long a voter that is slower than most is waited for with a manifest."""
    grace_s: float = 0.05
    """How long voters who differ are given until those not heard yet decide which are most."""
    duel_s: float = 0.02
    """The first pause of a proposer that met a higher ballot; it doubles up to `retry_max_s`."""
    open_chunks: int = 1024
    """Chunks that a node keeps mapped, and those it knows to be what was written."""
    verified_chunks: int = 65_536
    ring_nodes: int = 64
    ring_every_s: float = 3.0
    """How often a node asks who is in the ring."""
    ring_s: float = 4.0
    """For one question about the ring."""
    join_s: float = 10.0
    """For a node to come into a ring."""
    heartbeat_s: float = 1.0
    heartbeat_answer_s: float = 4.0
    suspect_s: float = 3.0
    """A node that was not heard for so long is asked after all others."""
    down_s: float = 15.0
    lost_s: float = 600.0
    """A node that was not heard for so long has left the ring: others get its chunks."""
    repair_every_s: float = 10.0
    repair_bytes_per_s: int = 64 << 20
    """How fast a node fetches copies that it should have."""
    repair_round_s: float = 60.0
    """After so long the copies that are missing are counted anew."""
    repair_look_s: float = 300.0
    """So often a node looks for missing copies although it knows of no change."""
    holdings_s: float = 10.0
    """For a node to say what it has of some writes."""
    describe_s: float = 2.0
    """For a node to say what it is doing."""
    holdings_writes: int = 1000
    """Of so many writes a node is asked at once."""
    holdings_ranges: int = 20_000
    """So many ranges of chunks are in one answer."""
    scrub_every_s: float = 7 * 86_400.0
    """How often each chunk on the disk is compared with its checksum."""
    scrub_bytes_per_s: int = 16 << 20
    scrub_round_s: float = 60.0
    """How often a node looks which files have come due."""
    suspects: int = 1000
    """Files that are to be looked at soon, since somebody found them damaged."""
    quarantine_files: int = 100
    quarantine_bytes: int = 1 << 30
    """Damaged files that are kept to be looked at; the oldest go first."""


CONTROL = ControlLimits()


class RoomLimits(Record, frozen=True):
    """What a node leaves free on its disk, for registers and for whoever else uses the disk."""

    free_share: float = 0.05
    free_bytes: int = 2 << 30
    """New chunks are refused when less than the larger of the two would be left free."""
    free_share_max: float = 0.25
    """But no more than this share of a small disk is left free."""
    ballast_bytes: int = 64 << 20
    """Of a file that is given up when a register cannot be written for want of room."""
    ballast_share: float = 0.001
    """Of the disk: on a small one the file is smaller."""
    ballast_bytes_min: int = 256 << 10


ROOM = RoomLimits()


class LaunchLimits(Record, frozen=True):
    """Bounds on nodes as processes: their start and their end."""

    nodes: int = 64
    """Of a local cluster."""
    start_s: float = 60.0
    """From starting a node to the line that says it is ready."""
    drain_s: float = 50.0
    """How long a node that was told to stop lets requests under way end."""
    stop_s: float = 60.0
    """From telling a node to stop to killing it."""
    kill_s: float = 5.0
    """How long the end of a killed node is waited for."""
    settle_s: float = 2.0
    """How long a stopping node lets deletions that it began end; the sweep does the rest."""
    memory_share: float = 0.6
    """Of the machine's memory, for kernels, when nothing else is said."""
    switch_s: float = 0.0005
    """How long a thread of a node holds the interpreter while another one waits for it."""
    task_threads: int = 16
    """Tasks of other nodes that are prepared or wait for a kernel process at once."""
    loop_threads: int = 64
    """Threads in which a node waits for its disk."""
    rest_s: float = 1.0
    """After so long without work a node gives back the memory that it keeps for the next."""
    files: int = 16_384
    """Files and sockets that a node may have open: connections, and chunks that are mapped."""


LAUNCH = LaunchLimits()


class DoorLimits(Record, frozen=True):
    """Bounds on what a node does for clients at once."""

    running: int = 8
    """Threads that plan and run statements; as many store what clients put."""
    waiting: int = 64
    """Requests that wait for such a thread; further ones are refused."""
    statements: int = 256
    """Statements that have begun and not ended: a slow reader's takes memory and no thread."""
    part_s: float = 0.1
    """What has come of a result is sent after this time, however little it is."""
    cancel_s: float = 1.0
    """How long the end of a cancelled statement is waited for before its asker is let go."""
    source_s: float = 600.0
    """How long the next rows of a put may take to come."""
    session_bytes: int = 1 << 30
    """A frame that a client keeps in a node's memory is not larger."""


DOOR = DoorLimits()


def byte_count(text: str) -> int:
    """The number of bytes that "512MB", "1.5 GiB" or "4096" says. Raises UsageError."""
    units = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)(b?)", text.strip().lower())
    if found is None or (found[3] and not found[2]):
        raise UsageError(f"'{text}' is not a size", hint="Write it like 512MB, 1.5GB or 2GiB.")
    count = int(float(found[1]) * (1024 if found[3] else 1000) ** units[found[2]])
    if count < 1:
        raise UsageError(f"'{text}' is not a size of at least one byte")
    return count
