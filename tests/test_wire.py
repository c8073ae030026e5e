"""What crosses the sandbox's border: for whatever comes there is a value or a WireError."""

import json
import math
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
import torch

from proctor.wire import frames, tensors, values
from proctor.wire.errors import Closed, Late, Malformed, WireError
from proctor.wire.frames import Channel
from proctor.wire.values import Foreign, Member, NamedTuple


@pytest.fixture
def ends():
    """The trusted end as a Channel, and the other end's bare socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


def soon():
    return time.monotonic() + 2


def frame(header, blob=b""):
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return frames.LENGTHS.pack(len(header), len(blob)) + header + blob


def safetensors_blob(header, data=b""):
    """A blob as a liar would write it: any header, any bytes behind it."""
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def receive(ends, data):
    """What the trusted side makes of these bytes, sent and then hung up on."""
    channel, peer = ends
    threading.Thread(target=send_and_hang_up, args=(peer, data), daemon=True).start()
    return channel.receive(soon())


def send_and_hang_up(peer, data):
    try:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the trusted side has hung up already


# Round trips


@pytest.mark.parametrize("dtype", sorted(tensors.DTYPES, key=str), ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)], ids=str)
def test_a_tensor_arrives_as_it_was_sent(ends, dtype, shape):
    channel, peer = ends
    tensor = (torch.rand(shape) * 100).to(dtype)
    Channel(peer).send({"a": 1}, [tensor], deadline=soon())
    message, (arrived,) = channel.receive(soon())
    assert message == {"a": 1}
    assert arrived.dtype == dtype
    assert arrived.shape == shape
    assert torch.equal(arrived, tensor)


def test_many_tensors_keep_their_order_and_may_share_memory(ends):
    channel, peer = ends
    whole = torch.arange(12.0).reshape(3, 4)
    sent = [whole, whole.t(), whole[1], *torch.arange(20.0)]
    Channel(peer).send({}, sent, deadline=soon())
    _, arrived = channel.receive(soon())
    assert len(arrived) == len(sent)
    assert all(torch.equal(one, other) for one, other in zip(arrived, sent, strict=True))


def test_values_without_a_finite_size_arrive_as_they_are(ends):
    channel, peer = ends
    Channel(peer).send({}, [torch.tensor([math.nan, math.inf, -math.inf])], deadline=soon())
    _, (arrived,) = channel.receive(soon())
    assert math.isnan(arrived[0])
    assert arrived[1:].tolist() == [math.inf, -math.inf]


def values_on_the_wire():
    yield from [None, True, False, 0, 1, -(10**30), 0.1, "text", "", "ü \U0001f600", [], (), {}]
    yield from [[1, [2.5, (3, None)]], {"a": [1], 2: {"b": ()}, True: "yes", 0.5: 1}]
    yield from [1j, b"bytes \x00", {1, 2}, frozenset(), {(1, ("a", None)): [1], None: 2, b"k": 3}]
    yield from [Member("Colour", "RED"), NamedTuple(["a", "b"], [1, [2]]), Foreign("Dataset")]


@pytest.mark.parametrize("value", list(values_on_the_wire()), ids=repr)
def test_a_value_arrives_with_its_type(value):
    encoded = json.loads(json.dumps(values.encode(value, pytest.fail)))
    arrived = values.decode(encoded, {})
    assert arrived == value
    assert repr(arrived) == repr(value)  # tells True from 1 and 1 from 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0])
def test_floats_that_json_has_no_word_for_arrive(value):
    encoded = json.loads(json.dumps(values.encode(value, pytest.fail)))
    assert repr(values.decode(encoded, {})) == repr(value)


@pytest.mark.parametrize(
    "value",
    [object(), range(3), int, {math.nan: 1}, {(1, math.nan)}, {10**5000: 1}],
    ids=lambda value: ascii(type(value)),
)
def test_what_is_no_plain_data_is_handed_on(value):
    handed = []
    values.encode([value], lambda found, depth: handed.append((found, depth)) or ["plain", 0])
    assert handed == [(value, 1)]


def test_a_named_tuple_gives_its_fields_and_no_protocol():
    """NumPy would take an `__array_interface__` for an address."""
    told = NamedTuple(["total", "__array_interface__"], [3, {"data": (1, False)}])
    assert told.total == 3
    assert told == (3, {"data": (1, False)})
    for name in ("__array_interface__", "missing"):
        with pytest.raises(AttributeError):
            getattr(told, name)


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_a_container_of_very_many_items_is_too_large(kind):
    with pytest.raises(values.TooLarge, match=r"100,001 items"):
        values.encode(kind(range(values.MAX_ITEMS + 1)), pytest.fail)


def test_a_value_nested_too_deeply_does_not_cross():
    value = "bottom"
    for _ in range(values.MAX_DEPTH + 5):
        value = [value]
    text = json.dumps(values.encode(value, pytest.fail))
    assert "bottom" not in text
    assert "too deeply" in text


# Sending


@pytest.mark.parametrize(
    ("message", "tensors"),
    [
        ({"text": "x" * (frames.MAX_MESSAGE_BYTES + 1)}, []),
        ({}, [torch.zeros(frames.MAX_TENSOR_BYTES // 4 + 1)]),
        ({"number": 10**5000}, []),
        ({"value": object()}, []),
        ({}, [torch.zeros(2).to_sparse()]),
        ({}, [torch.zeros(2, device="meta")]),
        ({}, [torch.zeros(2, dtype=torch.complex64)]),
        ({}, [torch.zeros(1)] * 10_000),
    ],
    ids=[
        "long text",
        "large tensor",
        "huge int",
        "no JSON",
        "sparse",
        "meta",
        "complex",
        "too many tensors",
    ],
)
def test_what_cannot_be_sent_is_refused_before_a_byte_has_left(ends, message, tensors):
    channel, peer = ends
    with pytest.raises(Malformed):
        channel.send(message, tensors, deadline=soon())
    channel.send({"still": "usable"}, deadline=soon())
    assert Channel(peer).receive(soon())[0] == {"still": "usable"}


def test_sending_to_a_peer_that_does_not_read_is_late(ends):
    channel, _ = ends
    started = time.monotonic()
    with pytest.raises(Late):
        channel.send({}, [torch.zeros(4 << 20)], deadline=started + 0.2)
    assert time.monotonic() - started < 10


def test_sending_to_a_peer_that_is_gone_is_closed(ends):
    channel, peer = ends
    peer.close()
    with pytest.raises(Closed):
        channel.send({"a": 1}, [torch.zeros(1 << 20)], deadline=soon())


# Receiving from a peer that is late, gone or hostile


def test_a_peer_that_says_nothing_is_late(ends):
    started = time.monotonic()
    with pytest.raises(Late):
        ends[0].receive(started + 0.2)
    assert time.monotonic() - started < 10


def test_a_peer_that_sends_byte_by_byte_is_late_in_the_end(ends):
    channel, peer = ends
    stop = threading.Event()

    def drip():
        for byte in frame({"a": "x" * 1000}):
            if stop.wait(0.02):
                return
            peer.send(bytes([byte]))

    dripping = threading.Thread(target=drip)
    dripping.start()
    started = time.monotonic()
    try:
        with pytest.raises(Late):
            channel.receive(started + 0.3)
    finally:
        stop.set()
        dripping.join()
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("kept", [0, 3, 8, 10, -1])
def test_a_frame_that_ends_early_is_closed(ends, kept):
    whole = frame({"a": 1}, tensors.pack_tensors([torch.zeros(3)]))
    with pytest.raises(Closed):
        receive(ends, whole[:kept])


@pytest.mark.parametrize(
    "lengths",
    [
        (frames.MAX_MESSAGE_BYTES + 1, 0),
        (2, frames.MAX_TENSOR_BYTES + 1),
        (0xFFFFFFFF, 0xFFFFFFFF),
    ],
)
def test_a_frame_over_the_caps_is_refused_unread(ends, lengths):
    with pytest.raises(Malformed):
        receive(ends, frames.LENGTHS.pack(*lengths))


HOSTILE_HEADERS = {
    "empty": b"",
    "no JSON": b"\x80\x03}q\x00.",
    "no UTF-8": b'{"a": "\xff\xfe"}',
    "list": b"[1, 2]",
    "null": b"null",
    "number": b"1",
    "text": b'"text"',
    "deep lists": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "unclosed lists": b"[" * 1_000_000,
    "int of 10,000 digits": b'{"a": ' + b"9" * 10_000 + b"}",
    "two objects": b"{}{}",
    "NUL": b'{"a": 1}\x00',
}


@pytest.mark.parametrize("header", HOSTILE_HEADERS.values(), ids=HOSTILE_HEADERS)
def test_a_header_that_is_no_json_object_is_malformed(ends, header):
    with pytest.raises(Malformed):
        receive(ends, frame(header))


HOSTILE_BLOBS = {
    "one byte": b"\x00",
    "length only": struct.pack("<Q", 0),
    "length beyond the blob": struct.pack("<Q", 1 << 20) + b"{}",
    "length of 2**63": struct.pack("<Q", 1 << 63) + b"{}",
    "header is no JSON": safetensors_blob(b"\xff\xff"),
    "header is a list": safetensors_blob([]),
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
    "overlapping": safetensors_blob(
        {"0": entry(offsets=(0, 4)), "1": entry(offsets=(0, 4))}, bytes(4)
    ),
    "hole between": safetensors_blob(
        {"0": entry(offsets=(0, 4)), "1": entry(offsets=(8, 12))}, bytes(12)
    ),
    "bytes left over": safetensors_blob({"0": entry()}, bytes(8)),
    "bytes missing": safetensors_blob({"0": entry(shape=(2,), offsets=(0, 8))}, bytes(4)),
    "shape says more": safetensors_blob({"0": entry(shape=(1 << 40,))}, bytes(4)),
    "shape overflows": safetensors_blob({"0": entry(shape=(1 << 33, 1 << 33))}, bytes(4)),
    "negative shape": safetensors_blob({"0": entry(shape=(-1,))}, bytes(4)),
    "offsets backwards": safetensors_blob({"0": entry(offsets=(4, 0))}, bytes(4)),
    "negative offsets": safetensors_blob({"0": entry(offsets=(-4, 0))}, bytes(4)),
    "unknown dtype": safetensors_blob({"0": entry(dtype="PICKLE")}, bytes(4)),
    "dtype that may not cross": safetensors_blob(
        {"0": entry(dtype="C64", offsets=(0, 8))}, bytes(8)
    ),
    "dtype of 8 bits": safetensors_blob({"0": entry(dtype="F8_E4M3", offsets=(0, 1))}, bytes(1)),
    "names that are no numbers": safetensors_blob({"a": entry()}, bytes(4)),
    "numbers with a gap": safetensors_blob({"0": entry(), "2": entry(offsets=(4, 8))}, bytes(8)),
    "empty with a huge side": safetensors_blob(
        {"0": entry(shape=(0, 1 << 62, 1 << 62), offsets=(0, 0))}
    ),
    "neither true nor false": safetensors_blob({"0": entry(dtype="BOOL", offsets=(0, 1))}, b"\x02"),
    # Made when they are needed: that takes a while.
    "as many tensors as fit": lambda: safetensors_blob(
        {str(number): entry(shape=(0,), offsets=(0, 0)) for number in range(300_000)}
    ),
    "as many sides as fit": lambda: safetensors_blob({"0": entry(shape=(1,) * 500_000)}, bytes(4)),
}


@pytest.mark.parametrize("blob", HOSTILE_BLOBS.values(), ids=HOSTILE_BLOBS)
def test_a_forged_blob_is_malformed(ends, blob):
    blob = blob() if callable(blob) else blob
    with pytest.raises(Malformed):
        receive(ends, frame({}, blob))


HOSTILE_VALUES = {
    "nothing": [],
    "kind alone": ["plain"],
    "JSON object": {"kind": "plain"},
    "null": None,
    "text": "plain",
    "unknown kind": ["pickle", "x"],
    "more than it is": ["float", "0.5", ["object", 0, "x"]],
    "kind is a number": [1, 2],
    "kind is a list": [["plain"], 1],
    "plain list": ["plain", [1]],
    "plain object": ["plain", {}],
    "float for a number": ["float", 1.5],
    "float that is none": ["float", "1.5.2"],
    "list of a text": ["list", "abc"],
    "list of bare values": ["list", [1, 2]],
    "dict of an object": ["dict", {}],
    "dict of singles": ["dict", [[["plain", 1]]]],
    "dict of triples": ["dict", [[["plain", 1]] * 3]],
    "dict with a list as key": ["dict", [[["list", []], ["plain", 1]]]],
    "dict with a dict as key": ["dict", [[["dict", []], ["plain", 1]]]],
    "dict with a list in a key": ["dict", [[["tuple", [["list", []]]], ["plain", 1]]]],
    "set with a list": ["set", [["list", []]]],
    "set with nan": ["frozenset", [["float", "nan"]]],
    "bytes that are none": ["bytes", "###"],
    "bytes of a number": ["bytes", 1],
    "complex of one part": ["complex", ["1.0"]],
    "complex of numbers": ["complex", [1.0, 2.0]],
    "named without names": ["named", [["plain", 1]]],
    "named with too few names": ["named", [[], [["plain", 1]]]],
    "named by a number": ["named", [[1], [["plain", 1]]]],
    "enum of one text": ["enum", ["A"]],
    "enum of a list": ["enum", ["A", ["B"]]],
    "dict with nan as key": ["dict", [[["float", "nan"], ["plain", 1]]]],
    "source": ["source", "1"],
    "import": ["import", "os", "system"],
    "object": ["object", 0, "X"],
    "foreign of a list": ["foreign", []],
}


@pytest.mark.parametrize("value", HOSTILE_VALUES.values(), ids=HOSTILE_VALUES)
def test_a_value_that_encode_would_not_write_is_malformed(value):
    with pytest.raises(Malformed):
        values.decode(value, {})


def test_a_value_nested_too_deeply_is_malformed():
    value = ["plain", 1]
    for _ in range(values.MAX_DEPTH + 5):
        value = ["list", [value]]
    with pytest.raises(Malformed):
        values.decode(value, {})


def test_the_name_of_a_foreign_type_is_cut():
    assert len(values.decode(["foreign", "x" * 10_000], {}).type_name) == 80


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":[' + b"[]," * ((frames.MAX_MESSAGE_BYTES - 20) // 3) + b"0]}",
        b'{"a":[' + b"{}," * ((frames.MAX_MESSAGE_BYTES - 20) // 3) + b"0]}",
    ],
    ids=["empty lists", "empty objects"],
)
def test_the_largest_frame_of_the_worst_kind_costs_little_memory(ends, header):
    before = peak_megabytes()
    message, _ = receive(ends, frame(header))
    assert len(message["a"]) > 1_000_000
    assert peak_megabytes() - before < 250


def test_random_damage_never_raises_anything_else():
    """Every byte of a good frame, replaced: the frame is read all the same, or a WireError."""
    blob = tensors.pack_tensors([torch.arange(3.0), torch.tensor([True, False])])
    good = frame({"result": ["list", [["tensor", 0, {}], ["float", "1.0"]]]}, blob)
    generator = torch.Generator().manual_seed(0)
    refused = 0
    for position in range(len(good)):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            damaged = bytearray(good)
            damaged[position] = int(torch.randint(256, (), generator=generator))
            theirs.sendall(damaged)
            theirs.shutdown(socket.SHUT_WR)
            try:
                message, _ = Channel(ours).receive(soon())
                values.decode(message.get("result"), {"tensor": lambda entry: entry})
            except WireError:
                refused += 1
    assert refused > len(good) // 4


# What safetensors or torch would take too long for, or end the process


def test_who_panics_for_want_of_memory_prints_no_trace():
    """Rust reads this once, at its first panic; there it would wait for itself without end."""
    code = "import os, proctor.wire.tensors; print(os.environ['RUST_BACKTRACE'])"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "RUST_BACKTRACE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "0\n"


@pytest.mark.parametrize("dimensions", [65, 80_000])
def test_a_tensor_of_very_many_dimensions_is_not_even_read(dimensions, monkeypatch):
    monkeypatch.setattr(tensors.safetensors.torch, "load", lambda _: pytest.fail("it was read"))
    blob = safetensors_blob({"0": entry("U8", [1] * dimensions, (0, 1))}, b"\1")
    with pytest.raises(Malformed, match="64 dimensions"):
        tensors.unpack_tensors(blob)


def test_as_many_dimensions_as_torch_takes_arrive():
    tensor = torch.ones([1] * 64)
    assert torch.equal(tensors.unpack_tensors(tensors.pack_tensors([tensor]))[0], tensor)


@pytest.mark.parametrize(
    "header", [b"[]", b"1", b'{"0": []}', b'{"0": {}}', b'{"0": {"shape": 1}}']
)
def test_a_header_that_is_not_safetensors_is_malformed(header):
    with pytest.raises(Malformed):
        tensors.unpack_tensors(safetensors_blob(header))


def test_a_frame_that_there_is_no_memory_for_is_malformed(ends, monkeypatch):
    def too_much(_):
        raise MemoryError

    ours, theirs = ends
    theirs.sendall(frame({"a": 1}))
    monkeypatch.setattr(frames.json, "loads", too_much)
    with pytest.raises(Malformed):
        ours.receive(soon())


def test_frames_that_arrive_together_are_taken_one_by_one(ends):
    channel, peer = ends
    large = torch.arange(frames.AHEAD)  # more than is read in one go
    sent = [({"a": 1}, []), ({"b": 2}, [torch.ones(3)]), ({"c": 3}, [large]), ({"d": 4}, [])]
    other = Channel(peer)
    writing = threading.Thread(target=lambda: [other.send(*each) for each in sent])
    writing.start()
    for message, values_sent in sent:
        received, found = channel.receive(soon())
        assert received == message
        assert all(map(torch.equal, found, values_sent)) and len(found) == len(values_sent)
    writing.join()


def test_a_frame_cut_short_behind_a_whole_one_is_an_end(ends):
    channel, peer = ends
    peer.sendall(frame(b'{"a": 1}') + frame(b'{"b": 2}')[:-3])
    peer.close()
    assert channel.receive(soon())[0] == {"a": 1}
    with pytest.raises(Closed):
        channel.receive(soon())
