"""`gencli sample`: let a model write."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gencli.cli.improvise import AskedTune, write_improvised
from gencli.cli.metrics import json_line
from gencli.config import TEMPERATURES, Precision, SampleConfig, check
from gencli.errors import OptionError

if TYPE_CHECKING:
    from gencli.model import Sample

DEFAULT = SampleConfig()
FIELDS = ("text", "tokens", "logprob", "finish", "novel", "seed")  # of a sample, in JSON
WHICH, TUNES, HOW, OUTPUT = "What to write", "Tunes", "How to draw", "Output"


def sample(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model file, as gencli train writes them.")],
    count: Annotated[int, typer.Option("-n", "--count", help="How many samples.", rich_help_panel=WHICH)] = 1,
    prompt: Annotated[
        str, typer.Option("-p", "--prompt", help="Text that begins every sample.", rich_help_panel=WHICH)
    ] = "",
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse a prompt with symbols the model never saw.", rich_help_panel=WHICH),
    ] = False,
    max_length: Annotated[
        int, typer.Option("-l", "--max-length", help="Most symbols after the prompt.", rich_help_panel=WHICH)
    ] = DEFAULT.max_length,
    min_length: Annotated[
        int, typer.Option(help="Fewest symbols after the prompt.", rich_help_panel=WHICH)
    ] = DEFAULT.min_length,
    stop: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="End a sample before this text; may be repeated.", rich_help_panel=WHICH),
    ] = None,
    unique: Annotated[bool, typer.Option("--unique", help="No sample twice.", rich_help_panel=WHICH)] = False,
    novel: Annotated[
        bool, typer.Option("--novel", help="Nothing that stood in the corpus.", rich_help_panel=WHICH)
    ] = False,
    bars: Annotated[
        int | None, typer.Option(help="How many. Default: once through --chords, else 32.", rich_help_panel=TUNES)
    ] = None,
    chords: Annotated[
        str | None, typer.Option(help='The changes, such as "Dm7 G7 | Cmaj7 | %".', rich_help_panel=TUNES)
    ] = None,
    key: Annotated[str | None, typer.Option(help="Such as C, Bb or F#m.", rich_help_panel=TUNES)] = None,
    tempo: Annotated[float | None, typer.Option(help="Quarters a minute.", rich_help_panel=TUNES)] = None,
    meter: Annotated[str | None, typer.Option(help="Such as 4/4, 3/4 or 6/8.", rich_help_panel=TUNES)] = None,
    swing: Annotated[
        str | None,
        typer.Option(
            metavar="RATIO", help="Of two eighths, such as 1.5, or off. Default for jazz: 1.5.", rich_help_panel=TUNES
        ),
    ] = None,
    range_: Annotated[
        str | None, typer.Option("--range", help="Of the melody, such as G3-A5 or 55-81.", rich_help_panel=TUNES)
    ] = None,
    instrument: Annotated[
        str | None, typer.Option(help="Of the melody. Default: tenor-sax.", rich_help_panel=TUNES)
    ] = None,
    label: Annotated[str | None, typer.Option(help="A label that the model learned.", rich_help_panel=TUNES)] = None,
    backing: Annotated[
        Literal["trio", "chords", "none"] | None,
        typer.Option(help="What accompanies it. Default: trio.", rich_help_panel=TUNES),
    ] = None,
    primer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Go on from this tune.", rich_help_panel=TUNES)
    ] = None,
    infill: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="FILE FILE", help="Join two phrases by --bars new ones (4).", rich_help_panel=TUNES),
    ] = None,
    soundfont: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For .wav: an .sf2 file.", rich_help_panel=TUNES)
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            "-t",
            "--temperature",
            help=f"Below 1 tamer, above 1 wilder; 0: the likeliest symbol, always. Default: {DEFAULT.temperature:g}, "
            f"for tunes {TEMPERATURES['music']:g}.",
            rich_help_panel=HOW,
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option(help="Draw among so many likeliest symbols; 0: all.", rich_help_panel=HOW)
    ] = DEFAULT.top_k,
    top_p: Annotated[
        float,
        typer.Option(
            help="Draw among the likeliest symbols that together reach this probability.", rich_help_panel=HOW
        ),
    ] = DEFAULT.top_p,
    repetition_penalty: Annotated[
        float,
        typer.Option(help="Draw each of the last 64 symbols as if so many times less likely.", rich_help_panel=HOW),
    ] = DEFAULT.repetition_penalty,
    allow_unk: Annotated[
        bool, typer.Option("--allow-unk", help="Let <UNK> be drawn.", rich_help_panel=HOW)
    ] = DEFAULT.allow_unk,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same samples.", rich_help_panel=HOW)
    ] = DEFAULT.seed,
    threads: Annotated[
        int | None, typer.Option(help="Threads; they change nothing but time. Default: all.", rich_help_panel=HOW)
    ] = None,
    precision: Annotated[
        Literal["auto", Precision],
        typer.Option(
            help="Of the products; bfloat16 is faster where the processor has it, auto takes it.", rich_help_panel=HOW
        ),
    ] = "float32",
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One object of JSON a line, log-probabilities in nats.", rich_help_panel=OUTPUT),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write to this file; a tune as its suffix says: .mid, .musicxml, .abc, .png, .wav.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
) -> None:
    """Write new texts, or tunes, with a model."""
    from gencli.cli.models import open_model
    from gencli.display import open_console
    from gencli.files import check_writable
    from gencli.kernels.compile import CompileClock

    warmth = DEFAULT.temperature if temperature is None else temperature
    config = SampleConfig(
        warmth, top_k, top_p, max_length, tuple(stop or ()), seed, min_length, repetition_penalty, allow_unk
    )
    check(count >= 1, f"--count {count}: must be at least 1")
    asked = AskedTune(
        bars, chords, key, tempo, meter, swing, range_, instrument, label, backing, primer, infill, soundfont
    )
    of_texts = {
        "--prompt": bool(prompt), "--strict": strict, "--max-length": max_length != DEFAULT.max_length,
        "--min-length": min_length != DEFAULT.min_length, "--stop": bool(stop), "--unique": unique, "--novel": novel,
        "--repetition-penalty": repetition_penalty != DEFAULT.repetition_penalty, "--allow-unk": allow_unk,
        "--json": as_json,
    }  # fmt: skip
    if output is not None:
        check_writable(output, OptionError)
        check(output.resolve() != model.resolve(), f"-o {output}: is the model itself; name another file")
    with CompileClock() as clock:
        clock.on_begin = announce_compiling
        loaded = open_model(model, threads, precision)
        if loaded.codec.level == "music":
            given = next((name for name, is_given in of_texts.items() if is_given), None)
            check(given is None, f"{given}: belongs to models of texts; this one writes tunes, leave it out")
            config = replace(config, temperature=TEMPERATURES["music"]) if temperature is None else config
            write_improvised(loaded, asked, config, count, output)
            return
        check(asked.first is None, f"{asked.first}: belongs to models of tunes; this one writes texts, leave it out")
        unknown = [] if strict else loaded.unknown(prompt)
        if unknown:
            names = ", ".join(repr(symbol) for symbol in unknown)
            fate = "read as <UNK>" if loaded.codec.keeps_unknown else "left out"
            typer.echo(f"gencli: warning: --prompt: the model has never seen {names}; {fate}", err=True)
        plain = output is None and not as_json
        if plain and count == 1 and not unique and not novel and open_console(sys.stdout).is_terminal:
            for piece in loaded.stream(prompt, config, strict=strict):
                typer.echo(piece, nl=False)
            typer.echo()
            return
        drawn = loaded.samples(count, prompt, config, unique=unique, novel=novel, strict=strict)
        lines = formatted(drawn, as_json, apart=loaded.info.documents != "line")
        found = write_lines(lines, output)
    if found < count:
        typer.echo(f"gencli: warning: found {found} of the {count} samples asked for; try a higher -t", err=True)


def announce_compiling() -> None:
    """Say why nothing seems to happen."""
    typer.echo("compiling kernels for this processor, once ...", err=True)


def formatted(samples: Iterable[Sample], as_json: bool, apart: bool) -> Iterator[str]:
    """What to write for each sample; with `apart` a blank line before all but the first."""
    for place, each in enumerate(samples):
        if as_json:
            yield json_line({name: getattr(each, name) for name in FIELDS})
        else:
            yield f"\n{each.text}" if apart and place > 0 else each.text


def write_lines(lines: Iterable[str], output: Path | None) -> int:
    """Write to stdout, each as it comes, or to a file, all or nothing; gives how many there were."""
    from gencli.files import write_atomically

    if output is not None:
        kept = list(lines)
        data = "".join(f"{line}\n" for line in kept)
        write_atomically(output, data.encode("utf-8", "surrogatepass"), OptionError)
        return len(kept)
    count = 0
    for line in lines:
        typer.echo(line)
        count += 1
    return count
