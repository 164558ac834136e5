"""The rows that a client puts, as the batches that a store takes.

Owns: taking a put's messages from its stream, their checks and bounds. Comes in: a stream, on the
event loop; goes out: record batches, in the thread that stores them. Does not know: stores, names.

The storing thread asks for the next message when it has stored the last one, so what a client sends
waits in the client while the disk is slow.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent import futures

import pyarrow as pa

from eau2.errors import CancelledError, DeadlineError, OperationalError, ProtocolError
from eau2.net.arrow import decode_table
from eau2.net.frame import Buffer
from eau2.net.message import Rows
from eau2.net.stream import Received, Stream


class Upload:
    """One put under way. Made on the event loop; `batches` are taken in a thread."""

    def __init__(
        self, stream: Stream, first: Buffer, source_s: float, bytes_max: int | None = None
    ) -> None:
        """first: an Arrow stream without rows, for the schema. source_s: to wait for rows.

        bytes_max: of all rows together, None for no bound. Raises ProtocolError.
        """
        self.schema: pa.Schema = decode_table(first, trusted=False).schema
        self.rows = 0
        self._stream = stream
        self._source_s = source_s
        self._bytes_left = bytes_max
        self._loop = asyncio.get_running_loop()
        self._guard = threading.Lock()
        self._stopped = False
        self._asked: futures.Future[Received | None] | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, until the client has said that these are all.

        Raises CancelledError after `stop`, ProtocolError, OperationalError beyond the bounds, and
        what the stream ended with.
        """
        while (received := self._receive()) is not None:
            table = self._table(received)
            del received
            self.rows += table.num_rows
            yield from table.to_batches()

    def stop(self) -> None:
        """Have the batches end with CancelledError: nobody wants them any more."""
        with self._guard:
            self._stopped = True
            if self._asked is not None:
                self._asked.cancel()

    def _receive(self) -> Received | None:
        with self._guard:
            if self._stopped:
                raise CancelledError("the put was cancelled")
            asked = asyncio.run_coroutine_threadsafe(self._stream.receive(), self._loop)
            self._asked = asked
        try:
            return asked.result(self._source_s)
        except futures.CancelledError:
            raise CancelledError("the put was cancelled") from None
        except TimeoutError:
            asked.cancel()
            raise DeadlineError(f"the client sent no rows for {self._source_s:g} s") from None

    def _table(self, received: Received) -> pa.Table:
        message = received.message
        if not isinstance(message, Rows):
            raise ProtocolError(f"a {type(message).__name__} among the rows of a put")
        if self._bytes_left is not None:
            self._bytes_left -= len(received.payload)
            if self._bytes_left < 0:
                raise OperationalError(
                    "the frame is too large to be kept in the node's memory for this connection",
                    hint="Put it into the store instead: con.put(name, data).",
                )
        table = decode_table(received.payload, trusted=False)
        if table.num_rows != message.rows:
            raise ProtocolError(f"{table.num_rows} rows that were said to be {message.rows}")
        if not table.schema.equals(self.schema):
            raise ProtocolError("rows of another schema than the put's first message has")
        return table
