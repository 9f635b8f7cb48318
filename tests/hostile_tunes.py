"""Files that a reader of tunes must survive: damaged ones of every format, and those made to harm."""

from __future__ import annotations

import io
import random
import struct
import zipfile

ABC = b"""X:1
T:Small tune
M:4/4
L:1/8
Q:1/4=120
K:G
|:"G"G2 B>d (3gfe d2|"D7"[FA]4 {a}f2 z2:|1"C"c8-|c4 e4:|2"G"G8|]
"""
KERN = (
    b"**kern\t**kern\n*M4/4\t*M4/4\n*G:\t*G:\n=1\t=1\n2GG\t4g\n.\t4a\n2D\t(8b\n.\t8cc)\n.\t4dd\n"
    b"=2\t=2\n1GG\t1b\n==\t==\n*-\t*-\n"
)
HARMONY = b"<harmony><root><root-step>G</root-step></root><kind>dominant</kind></harmony>"
XML_NOTE = (
    b"<note><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch><duration>6</duration>"
    b"<voice>1</voice><type>eighth</type></note>"
)
ATTRIBUTES = (
    b"<attributes><divisions>12</divisions><key><fifths>1</fifths></key>"
    b"<time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
)


def chunk(kind, data):
    """A chunk of a MIDI file."""
    return kind + struct.pack(">I", len(data)) + data


def midi(*tracks, division=480, kind=1, count=None):
    """A MIDI file of the tracks' raw events."""
    head = struct.pack(">HHH", kind, len(tracks) if count is None else count, division)
    return chunk(b"MThd", head) + b"".join(chunk(b"MTrk", track + b"\0\xff\x2f\0") for track in tracks)


def strokes(*pitches, length=b"\x83\x60"):
    """MIDI events: notes one after the other, a quarter each."""
    return b"".join(bytes([0, 0x90, pitch, 80]) + length + bytes([0x80, pitch, 0]) for pitch in pitches)


def score(*measures, head=b""):
    """MusicXML of one part."""
    inner = b"".join(b'<measure number="%d">%s</measure>' % (n, measure) for n, measure in enumerate(measures, 1))
    parts = b'<part-list><score-part id="P1"><part-name>Lead</part-name></score-part></part-list>'
    return b'<?xml version="1.0"?>%s<score-partwise>%s<part id="P1">%s</part></score-partwise>' % (head, parts, inner)


def zipped(files):
    """An archive of name -> bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


MIDI = midi(
    b"\0\xff\x03\x04Tune\0\xff\x58\x04\x04\x02\x18\x08\0\xff\x51\x03\x07\xa1\x20",
    b"\0\xff\x03\x06Melody" + strokes(67, 69, 71, 72, 74, 71, 69, 67),
    b"\0\xff\x03\x06Chords" + b"\0\x90\x37\x40\0\x90\x3b\x40\0\x90\x3e\x40\x8f\0\x80\x37\0\0\x80\x3b\0\0\x80\x3e\0",
)
XML = score(ATTRIBUTES + HARMONY + XML_NOTE * 8, XML_NOTE * 8)
MXL = zipped({"score.xml": XML})
GOOD = {".abc": ABC, ".krn": KERN, ".mid": MIDI, ".musicxml": XML, ".mxl": MXL}

LAUGHS = b"<!DOCTYPE x [<!ENTITY a 'ha'>%s]>" % b"".join(
    b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12)
)
ZEROS = 64 * 2**20  # bytes that a bomb unpacks to

MADE = {  # name -> bytes; each is refused, or reads as a tune that is whole
    "empty.abc": b"",
    "blank.mid": b"  \n\n",
    "head-only.abc": b"X:1\nT:nothing\nK:C\n",
    "no-head.abc": b"CDEF GABc|\n",
    "no-key.abc": b"X:1\nCDEF GABc|\n",
    "text.abc": b"This is no tune.\n" * 100,
    "zero-length.abc": b"X:1\nM:4/4\nL:1/8\nK:C\n" + b"C0D0E0 F/0 " * 50 + b"|C8|\n",
    "meter-zero.abc": b"X:1\nM:0/0\nK:C\nCDEF|\n",
    "meter-odd.abc": b"X:1\nM:5/7\nK:C\nCDEF|\n",
    "meter-huge.abc": b"X:1\nM:999/1\nK:C\nCDEF|\n",
    "long-rest.abc": b"X:1\nM:4/4\nK:C\nCDEF|Z9999999|C8|\n",
    "long-note.abc": b"X:1\nM:4/4\nK:C\nC99999|D99999|E99999|F99999|\n" * 10,
    "bars.abc": b"X:1\nM:4/4\nL:1/4\nK:C\n" + b"CDEF|" * 10_000,
    "repeats.abc": b"X:1\nM:4/4\nL:1/4\nK:C\n" + b"|:" * 50 + b"CDEF|" * 1000 + b":::::::::::::::::::::|" * 50,
    "endings.abc": b"X:1\nM:4/4\nL:1/4\nK:C\n|:CDEF|" + b"".join(b"[1-999 CDEF:|" for _ in range(600)),
    "fields.abc": b"X:1\nK:C\n" + b"[K:" * 50_000 + b"\nC8|\n",
    "plus.abc": b"X:1\nK:C\n+" + b"C11111111" * 20_000 + b"\nC8|\n",
    "brackets.abc": b"X:1\nK:C\n" + b"[" * 20_000 + b"C" + b"]" * 20_000 + b'{("!\n',
    "voices.abc": b"X:1\nK:C\n" + b"".join(b"V:%d\nC8|\n" % n for n in range(5000)),
    "primes.abc": b"X:1\nM:4/4\nK:C\n" + b" ".join(b"C1/%d" % n for n in range(9000, 9999)) + b"|\n",
    "octaves.abc": b"X:1\nM:4/4\nL:1/8\nK:C\nc''''''''''''C,,,,,,,,,,,,^^c'''''''''''' C4|\n",
    "nul.abc": b"X:1\nK:C\nC\0D|\n",
    "utf16.abc": "X:1\nM:4/4\nL:1/8\nK:C\nCDEFGABc|\n".encode("utf-16"),
    "half-utf16.abc": b"\xff\xfeX\0:\0\x31",
    "division-zero.mid": midi(strokes(60), division=0),
    "smpte.mid": midi(strokes(60), division=0xE728),
    "type-2.mid": midi(strokes(60), kind=2),
    "no-tracks.mid": midi(),
    "missing-tracks.mid": midi(strokes(60), count=500),
    "no-notes.mid": midi(b"\0\xff\x03\x04Tune"),
    "drums.mid": midi(bytes([0, 0x99, 36, 80, 0x60, 0x89, 36, 0])),
    "zero-length.mid": midi(strokes(*range(40, 80), length=b"\0")),
    "hanging.mid": midi(b"".join(bytes([1, 0x90, 60 + n % 5, 80]) for n in range(20_000))),
    "far.mid": midi(strokes(60, 62) + strokes(64, length=b"\xff\xff\xff\x7f") * 20),
    "meters.mid": midi(b"\x10\xff\x58\x04\x01\x04\x18\x08\0\xff\x58\x04\0\x02\x18\x08" * 9000 + strokes(60)),
    "bars.mid": midi(strokes(*[60, 62, 64, 65] * 10_000)),
    "tempo-zero.mid": midi(b"\0\xff\x51\x03\0\0\0" + strokes(60, 62)),
    "not-midi.mid": b"RIFF" + bytes(500),
    "bars.musicxml": score(ATTRIBUTES + XML_NOTE, *[XML_NOTE * 8] * 10_000),
    "bars.krn": b"**kern\n*M4/4\n" + b"".join(b"=%d\n4c\n4d\n4e\n4f\n" % n for n in range(10_000)) + b"*-\n",
    "zero-length.musicxml": score(ATTRIBUTES + XML_NOTE.replace(b"<duration>6", b"<duration>0") * 8 + XML_NOTE),
    "no-divisions.musicxml": score(ATTRIBUTES.replace(b">12<", b">0<") + XML_NOTE * 8),
    "negative.musicxml": score(ATTRIBUTES + XML_NOTE.replace(b">6<", b">-6<") * 8),
    "long-note.musicxml": score(ATTRIBUTES + XML_NOTE.replace(b">6<", b">99999999<") * 8),
    "endings.musicxml": score(
        ATTRIBUTES
        + XML_NOTE * 8
        + b'<barline location="right"><ending number="1-99999999" type="start"/>'
        + b'<repeat direction="backward"/></barline>'
    ),
    "staves.musicxml": score(ATTRIBUTES.replace(b"<time>", b"<staves>99999</staves><time>") + XML_NOTE * 8),
    "slurs.musicxml": score(
        ATTRIBUTES + XML_NOTE.replace(b"</note>", b'<notations><slur type="start"/></notations></note>') * 8000
    ),
    "deep.musicxml": b"<a>" * 50_000,
    "laughs.musicxml": score(ATTRIBUTES + XML_NOTE * 8, head=LAUGHS).replace(b"<step>B<", b"<step>&l;<"),
    "outside.musicxml": score(head=b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
    "picture.xml": b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>',
    "timewise.xml": b"<score-timewise/>",
    "bomb.mxl": zipped({"score.xml": bytes(ZEROS)}),
    "space-bomb.mxl": zipped({"score.xml": b"<score-partwise>" + b" " * ZEROS}),
    "container-bomb.mxl": zipped({"META-INF/container.xml": bytes(ZEROS), "score.xml": XML}),
    "many.mxl": zipped({f"{n}.txt": b"x" for n in range(1000)}),
    "nested.mxl": zipped({"inner.mxl": zipped({"score.xml": XML})}),
    "no-score.mxl": zipped({"readme.txt": b"hello"}),
    "climbing.mxl": zipped({"../../score.xml": XML}),
    "ragged.krn": b"**kern\t**kern\n*M4/4\n4c\n4c\t4d\t4e\n=\n*-\n",
    "no-end.krn": b"**kern\n4c\n4d\n",
    "wide.krn": b"\t".join([b"**kern"] * 500) + b"\n" + b"\t".join([b"4c"] * 500) + b"\n",
    "zero-length.krn": b"**kern\n*M4/4\n" + b"qc\n" * 50 + b"0000000c\n4d\n*-\n",
    "not-kern.krn": b"**mens\nSc\n*-\n",
}


def mutated(seed, sources=None):
    """Name and bytes of a damaged file: cut, with bytes changed, doubled or left out, of the wrong format, or noise."""
    rng = random.Random(seed)
    suffix, data = rng.choice(sources or list(GOOD.items()))
    how = rng.randrange(6)
    if how == 0:
        return f"cut{seed}{suffix}", data[: rng.randrange(len(data))]
    if how == 1:
        changed = bytearray(data)
        for _ in range(rng.choice((1, 3, 10, 100))):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        return f"changed{seed}{suffix}", bytes(changed)
    if how == 2:
        first, last = sorted(rng.randrange(len(data)) for _ in range(2))
        return f"doubled{seed}{suffix}", data[:last] + data[first:last] * rng.choice((1, 2, 20)) + data[last:]
    if how == 3:
        first, last = sorted(rng.randrange(len(data)) for _ in range(2))
        return f"missing{seed}{suffix}", data[:first] + data[last:]
    if how == 4:
        return f"swapped{seed}{rng.choice(list(GOOD))}", data
    return f"noise{seed}{suffix}", data[: rng.choice((0, 4, 40))] + rng.randbytes(rng.choice((10, 1000, 20_000)))
