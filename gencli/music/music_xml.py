"""MusicXML, plain or in its zip archive, unpacked within bounds and stripped of all that is no music."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from io import BytesIO
from xml.etree import ElementTree
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from gencli.errors import CorpusError
from gencli.music.swing_mark import marked_swing, swing_ratio

LARGEST = 16 * 2**20  # bytes of XML
MOST_MEMBERS = 256  # files in an archive
MOST_MEASURES = 2048  # of a part: music21 takes time with the square of it
MOST = {"note": 40_000, "harmony": 2048, "part": 64, "score-part": 64, "degree": 8192}  # a harmony takes 4 ms
MOST_ELEMENTS = 200_000  # of any other name
HIGHEST = {"staves": 8, "staff": 8, "divisions": 65_535, "duration": 10**8, "beats": 64, "multiple-rest": 256}
ENDING = re.compile(r"\d{1,2}(?:\s*[, -]\s*\d{1,2})*")
DEEPEST = 32
BEATS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25}
CONTAINER = "META-INF/container.xml"
# What engraving and playback alone need. Slurs, in music21, take time with the square of their number.
UNNEEDED = {"notations", "lyric", "print", "beam", "stem", "credit", "defaults", "notehead", "figured-bass", "grouping"}


def unpacked(data: bytes) -> bytes:
    """The score in a .mxl archive; CorpusError where there is none, or it is too large."""
    try:
        with ZipFile(BytesIO(data)) as archive:
            return _member(archive, _score_name(archive))
    except (BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error) as error:
        raise CorpusError(f"a damaged archive ({error}); save it again") from error


def _member(archive: ZipFile, name: str) -> bytes:
    """One file of an archive; never more than LARGEST bytes are unpacked, whatever its head says."""
    with archive.open(name) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise CorpusError(f"{name[:40]} in it is larger than {LARGEST // 2**20} MiB")
    return data


def _score_name(archive: ZipFile) -> str:
    """The name that the container tells, else the first file with a fitting one."""
    names = archive.namelist()
    if len(names) > MOST_MEMBERS:
        raise CorpusError(f"an archive of more than {MOST_MEMBERS} files, not a score")
    if CONTAINER in names:
        for element in tree(_member(archive, CONTAINER)).iter():
            if element.tag.endswith("rootfile") and element.get("full-path") in names:
                return str(element.get("full-path"))
    for name in names:
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith("META-INF"):
            return name
    raise CorpusError("an archive without a MusicXML score in it")


def tree(data: bytes) -> ElementTree.Element:
    """The elements of a score, without UNNEEDED; CorpusError where it is damaged, too large or declares entities."""
    if len(data) > LARGEST:
        raise CorpusError(f"larger than {LARGEST // 2**20} MiB")
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = builder.entity
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise CorpusError(f"not well-formed XML ({error}); save it again") from error
    return builder.root()


class _Builder:
    """Builds elements as they are parsed, and counts them."""

    def __init__(self) -> None:
        self._builder = ElementTree.TreeBuilder()
        self._depth = 0
        self._skipping = 0  # how deep inside of an element that is not needed
        self._counts: Counter[str] = Counter()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Open an element."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise CorpusError("elements nested too deeply for a score")
        if self._skipping or tag in UNNEEDED:
            self._skipping += 1
            return
        self._counts[tag] += 1
        if self._counts[tag] > MOST.get(tag, MOST_ELEMENTS):
            raise CorpusError(f"more than {MOST.get(tag, MOST_ELEMENTS):,} elements named {tag[:20]}; cut the score")
        self._builder.start(tag, attributes)

    def end(self, tag: str) -> None:
        """Close an element."""
        self._depth -= 1
        if self._skipping:
            self._skipping -= 1
        else:
            self._builder.end(tag)

    def data(self, text: str) -> None:
        """Add text."""
        if not self._skipping:
            self._builder.data(text)

    def entity(self, name: str, *_: object) -> None:
        """Refuse what could stand for a gigabyte; MusicXML needs none."""
        raise CorpusError(f"XML that declares an entity ({name[:20]}); save it as plain MusicXML")

    def root(self) -> ElementTree.Element:
        """The outermost element."""
        return self._builder.close()


def check_score(root: ElementTree.Element) -> None:
    """CorpusError unless it is a score of parts that music21 can read in reasonable time."""
    if root.tag != "score-partwise":
        raise CorpusError(f"XML but no MusicXML score of parts: it begins with {root.tag[:40]}")
    for part in root.findall("part"):
        if len(part.findall("measure")) > MOST_MEASURES:
            raise CorpusError(f"more than {MOST_MEASURES:,} measures; cut the score into shorter ones")

    for element in root.iter():
        text = (element.text or "").strip() if element.tag in HIGHEST else "0"
        if len(text) > 9 or (text.isdigit() and int(text) > HIGHEST.get(element.tag, 0)):
            raise CorpusError(f"{element.tag} of {text[:20]}: no score has that; save it again")
        if element.tag == "ending" and not ENDING.fullmatch(element.get("number", "")):
            element.set("number", "1")


def first_text(root: ElementTree.Element, *paths: str) -> str:
    """The text of the first of these elements that has some."""
    return next((text for path in paths if (text := (root.findtext(path) or "").strip())), "")


def tempo_of(root: ElementTree.Element) -> float | None:
    """Quarters a minute: what the score is to be played at, else its first metronome mark."""
    for sound in root.iter("sound"):
        if _number(sound.get("tempo")):
            return _number(sound.get("tempo"))
    for mark in root.iter("metronome"):
        beat = BEATS.get(first_text(mark, "beat-unit")), _number(first_text(mark, "per-minute"))
        if beat[0] and beat[1]:
            return beat[0] * beat[1] * (1.5 if mark.find("beat-unit-dot") is not None else 1)
    return None


def swing_of(root: ElementTree.Element) -> float:
    """Long to short of its eighths: what the score is to be played at, else what its words ask for; 1 is straight."""
    for swing in root.iter("swing"):
        long, short = (first_text(swing, name) for name in ("first", "second"))
        if long.isdigit() and short.isdigit() and len(long + short) < 9:
            return swing_ratio(int(long), int(short)) or 1.0
    return next((ratio for words in root.iter("words") if (ratio := marked_swing(words.text or ""))), 1.0)


def transpositions(root: ElementTree.Element) -> dict[str, int]:
    """Part id -> how many semitones higher the part sounds than it is written: -2 for a trumpet in B flat.

    As the score says it: what music21 knows of the instrument named there is another matter.
    """
    found = {}
    for part in root.findall("part"):
        sign = next(part.iter("transpose"), None)
        if sign is not None:
            steps = [first_text(sign, name) for name in ("chromatic", "octave-change")]
            semitones, octaves = (int(text) if re.fullmatch(r"-?\d{1,2}", text) else 0 for text in steps)
            found[part.get("id", "")] = semitones + 12 * octaves
    return found


def drop_directions(root: ElementTree.Element) -> None:
    """Take out of a score what was said above its notes, once it has been read."""
    for measure in root.iter("measure"):
        for element in measure.findall("direction") + measure.findall("sound"):
            measure.remove(element)


def _number(text: str | None) -> float | None:
    """A text as a number above 0; None where it is none."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 < number < 1e4 else None
