"""Messages: every kind comes back as it went; whatever is not exactly its type is refused."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.config import CONTROL
from eau2.errors import (
    Error,
    InternalError,
    NotSupportedError,
    OutOfRangeError,
    ProtocolError,
    Span,
    SqlSyntaxError,
)
from eau2.net import message as messages
from eau2.net import ring_message
from eau2.net.codec import (
    TABLE,
    MessageError,
    decode_message,
    decode_request,
    encode_message,
    kind_of,
)
from eau2.net.fault import CLASSES, describe, rebuild
from eau2.net.header import CONTROL_BYTES, Kind
from eau2.net.message import (
    Accept,
    Credit,
    ErrorMessage,
    Hello,
    Message,
    Number,
    Peek,
    Request,
    RunTask,
    Statement,
    Vote,
)
from eau2.net.packing import Range
from eau2.operators.codec import FragmentError
from eau2.records import names
from tests.wire.samples import MESSAGES


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's annotation, at its bounds too."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return bounded(arguments[0], arguments[1])
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if origin is Mapping:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(values, arguments))
    if hint in SCALARS:
        return SCALARS[hint]
    return instances(hint)


SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    type(None): st.none(),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**64 - 1),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=20),
    bytes: st.binary(max_size=20),
}


def bounded(hint: Any, bounds: Range) -> st.SearchStrategy[Any]:
    low, high = bounds
    if hint is int:
        return st.integers(int(low), int(high))
    if hint is float:
        return st.floats(low, high)
    if hint is bytes:
        # As many as are allowed travel in test_the_largest_register_travels.
        return st.binary(max_size=20)
    return st.one_of(st.text(max_size=5), st.just("n" * int(high)))


def instances(cls: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls, include_extras=True)
    return st.builds(cls, **{name: values(hints[name]) for name in names(cls)})


def test_every_message_class_has_a_kind_and_a_sample() -> None:
    classes = {
        cls
        for module in (messages, ring_message)
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, Message) and cls is not Message
    }
    assert {row.cls for row in TABLE.values()} == classes
    assert {type(sample) for sample in MESSAGES} == classes
    assert set(TABLE) == set(Kind)


@pytest.mark.parametrize("kind", list(TABLE), ids=lambda kind: kind.name)
def test_every_message_comes_back_as_it_went(kind: Kind) -> None:
    @given(instances(TABLE[kind].cls), instances(Request))
    @settings(max_examples=25, deadline=None)
    def check(sent: Message, request: Request) -> None:
        assert kind_of(sent) is kind
        assert decode_message(kind, encode_message(sent)) == sent
        if TABLE[kind].opens:
            assert decode_request(kind, encode_message(sent, request)) == (request, sent)

    check()


def packed(values_: Any) -> bytes:
    data: bytes = msgpack.packb(values_, use_bin_type=True)
    return data


@pytest.mark.parametrize(
    ("kind", "control", "message"),
    [
        (Kind.NUMBER, packed([1, 2]), "has 1 fields, not 2"),
        (Kind.NUMBER, packed([]), "has 1 fields, not 0"),
        (Kind.NUMBER, packed({"value": 1}), "has 1 fields, not dict"),
        (Kind.NUMBER, packed([True]), "value of a Number message must be a whole number"),
        (Kind.NUMBER, packed([1.0]), "must be a whole number"),
        (Kind.NUMBER, packed(["1"]), "must be a whole number"),
        (Kind.NUMBER, packed([None]), "must be a whole number"),
        (Kind.CREDIT, packed([0]), "must be from 1"),
        (Kind.PEEK, packed(["n" * 201]), "must be from 0 to 200"),
        (Kind.PEEK, packed([b"bytes"]), "must be a text"),
        (Kind.HELLO, packed([[1], "client", "", "", ""]), "must be an array of 2"),
        (
            Kind.STATEMENT,
            packed(["", [[1, "", []]], "", 0, {}, False]),
            "parameters of a Statement",
        ),
        (Kind.STATEMENT, packed(["", [], "", 0, {"a": 1}, False]), "settings of a Statement"),
        (Kind.STATEMENT, packed(["", [], "", 0, {1: "a"}]), "no message"),
        (Kind.GET_CHUNK, packed([["a", 1, 2]]), "has 2 fields, not 3"),
        (Kind.DONE, packed(msgpack.ExtType(5, b"")), "fields, not ExtType"),
        (Kind.DONE, packed(msgpack.ExtType(5, b"x")), "no message"),
        (Kind.DONE, packed(msgpack.Timestamp(0)), "no message"),
        (Kind.DONE, b"", "no message"),
        (Kind.DONE, b"\x90\x90", "no message"),
        (Kind.DONE, b"\xc1", "no message"),
        (Kind.DONE, b"\xdd\xff\xff\xff\xff", "no message"),
        (Kind.PEEK, b"\x91\xa2\xff\xfe", "no message"),
        (Kind.DONE, b"\x91" * 100 + b"\x90", "has 0 fields, not 1"),
        (Kind.DONE, b"\x91" * 500_000 + b"\x90", "no message"),
        (Kind.DONE, bytes(CONTROL_BYTES + 1), "exceeds"),
    ],
)
def test_what_is_not_exactly_a_message_is_refused(kind: Kind, control: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        decode_message(kind, control)


def test_a_request_needs_its_envelope_within_bounds() -> None:
    body = ["a"]
    for control, message in (
        (packed(body), "without its envelope"),
        (packed([[1.0, "q"], body, 3]), "without its envelope"),
        (packed([[1, "q"], body]), "deadline_s of a Request message must be a float"),
        (packed([[-1.0, "q"], body]), "deadline_s of a Request message must be from 0"),
        (packed([[float("nan"), "q"], body]), "deadline_s"),
        (packed([[1e9, "q"], body]), "deadline_s"),
        (packed([[1.0, "q" * 65], body]), "query of a Request"),
    ):
        with pytest.raises(ProtocolError, match=message):
            decode_request(Kind.PEEK, control)
    with pytest.raises(ProtocolError, match="asks for nothing"):
        decode_request(Kind.NUMBER, packed([[1.0, "q"], [1]]))


def test_the_largest_register_travels() -> None:
    value = bytes(CONTROL.register_bytes)
    for sent in (Accept("n", (1, "p"), value), Vote((1, "p"), (1, "p"), value)):
        assert decode_message(kind_of(sent), encode_message(sent)) == sent
    with pytest.raises(ProtocolError, match="value of a Vote message must be"):
        decode_message(Kind.VOTE, encode_message(Vote((1, "p"), (1, "p"), value + b"x")))


def test_what_cannot_be_packed_or_is_too_large_is_not_sent() -> None:
    with pytest.raises(MessageError, match="exceeds"):
        encode_message(Statement("x" * CONTROL_BYTES))
    with pytest.raises(MessageError, match="cannot be packed"):
        encode_message(Number(2**64))
    with pytest.raises(MessageError, match="cannot be packed"):
        encode_message(Peek("\ud800"))


def test_every_error_comes_back_as_itself() -> None:
    for name, cls in CLASSES.items():
        error = cls("what", hint="hint")
        told = ErrorMessage(*describe(error))
        assert decode_message(Kind.ERROR, encode_message(told)) == told
        back = rebuild(told.name, told.message, told.hint, told.span, told.text)
        assert type(back) is cls
        assert (told.name, back.message, back.hint) == (name, "what", "hint")
        assert told.retryable == cls.retryable


def test_a_statement_error_keeps_its_caret() -> None:
    error = SqlSyntaxError("no", span=Span(7, 9), text="SELECT ?!", hint="leave it out")
    name, message, hint, span, text, _ = describe(error)
    assert str(rebuild(name, message, hint, span, text)) == str(error)
    long = NotSupportedError("no", span=Span(7, 9), text="x" * 300_000)
    assert describe(long)[3:5] == (None, None)


def test_errors_outside_the_tree_are_bugs_and_their_names_are_not_looked_up() -> None:
    assert describe(ValueError("x"))[:2] == ("InternalError", "ValueError: x")
    assert describe(FragmentError("x"))[0] == "InternalError"
    for name in ("OSError", "report", "Warning", "__class__", "ClassVar"):
        assert type(rebuild(name, "x", None, None, None)) is InternalError
    assert isinstance(rebuild("OutOfRangeError", "x", None, None, None), OutOfRangeError)
    assert all(issubclass(cls, Error) for cls in CLASSES.values())


def test_an_error_message_always_fits() -> None:
    error = SqlSyntaxError(
        "\ud800" * 500_000, hint="\U0001f600" * 500_000, text="\U0001f600" * 200_000
    )
    encode_message(ErrorMessage(*describe(error)))


def test_a_message_is_a_short_array() -> None:
    assert encode_message(Credit(5)) == packed([5])
    assert len(encode_message(RunTask(1, 2, 0, (), ()), Request(1.0))) < 24
    assert encode_message(Hello((1, 1), "client")) == packed([[1, 1], "client", "", "", ""])
