"""`gencli train`: options -> a request to train."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

import typer

from gencli.cli.cell_options import Compare, Diagnose, refuse_beside
from gencli.cli.schedule_options import (
    CHOSEN,
    NETWORK,
    SCHEDULE,
    Average,
    Clip,
    ClipValue,
    Patience,
    Preset,
    Rate,
    Target,
    WeightDecay,
)
from gencli.config import (
    Activation,
    CellName,
    DocumentMode,
    LabelSource,
    Level,
    NetworkConfig,
    SoftmaxName,
    SplitName,
    TrainConfig,
    check,
)

STARTING = 1.0  # seconds that starting takes at the most
DATA, OUTPUT = "What to learn from", "Output"
NETWORK_DEFAULT, TRAIN_DEFAULT = NetworkConfig(2), TrainConfig()


def train(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="A bundled corpus (see gencli corpora), a file, a folder, music21:NAME (tunes of that collection), or "
            "- for stdin; several are joined.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The model file. Default: the source's name + .safetensors, here.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    level: Annotated[
        Literal["auto", Level],
        typer.Option(
            help="What a symbol is. auto: char; word with an option for words; music for tunes (.abc, .mid, .musicxml, "
            ".krn and such).",
            rich_help_panel=DATA,
        ),
    ] = "auto",
    documents: Annotated[
        Literal["auto", DocumentMode],
        typer.Option(help="What a document is; stream: one long text. auto: by the layout.", rich_help_panel=DATA),
    ] = "auto",
    encoding: Annotated[str, typer.Option(help="How the text is encoded.", rich_help_panel=DATA)] = "utf-8",
    min_count: Annotated[
        int | None,
        typer.Option(
            help="Symbols seen less often count as unknown. Default: 1, for words by the corpus's size.",
            rich_help_panel=DATA,
        ),
    ] = None,
    vocab_size: Annotated[
        int | None,
        typer.Option(help="The most words to know, the commonest; all others are unknown.", rich_help_panel=DATA),
    ] = None,
    split: Annotated[
        SplitName | None,
        typer.Option(
            help="How words are told apart: running text, punctuation apart (words, the default), or tokens with "
            "blanks between.",
            rich_help_panel=DATA,
        ),
    ] = None,
    lowercase: Annotated[
        bool, typer.Option("--lowercase", help="Words: read and write small letters only.", rich_help_panel=DATA)
    ] = False,
    track: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Tunes: the melody's track, by number or name. Default: by rule.", rich_help_panel=DATA
        ),
    ] = None,
    label: Annotated[
        LabelSource,
        typer.Option(help="Tunes: label each with its folder's name, for sample --label.", rich_help_panel=DATA),
    ] = "none",
    valid: Annotated[
        str | None, typer.Option(metavar="FILE", help="Validate on this file's documents.", rich_help_panel=DATA)
    ] = None,
    val_fraction: Annotated[
        float | None,
        typer.Option(
            help="Share of the corpus held out to validate on; 0: none. Default: 0.1, less if large.",
            rich_help_panel=DATA,
        ),
    ] = None,
    cell: Annotated[
        CellName | None,
        typer.Option(help=f"The recurrent cell; {CHOSEN}.", rich_help_panel=NETWORK),
    ] = None,
    preset: Preset = "medium",
    hidden_size: Annotated[
        int | None, typer.Option(help=f"Units of each layer; {CHOSEN}.", rich_help_panel=NETWORK)
    ] = None,
    layers: Annotated[
        int | None, typer.Option(help=f"Layers, one upon the other; {CHOSEN}.", rich_help_panel=NETWORK)
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            help=f"Share of each layer's outputs dropped in training, 0 to 1; {CHOSEN}.", rich_help_panel=NETWORK
        ),
    ] = None,
    activation: Annotated[
        Activation, typer.Option(help="The activation of --cell rnn.", rich_help_panel=NETWORK)
    ] = NETWORK_DEFAULT.activation,
    embedding_size: Annotated[
        int | None,
        typer.Option(
            help=f"Units of a token's vector; 0: none, a row of a table enters directly; {CHOSEN}.",
            rich_help_panel=NETWORK,
        ),
    ] = None,
    tie: Annotated[
        bool | None,
        typer.Option(
            "--tie/--no-tie",
            help="Let tokens' vectors and output weights be the same. Default: for words.",
            rich_help_panel=NETWORK,
        ),
    ] = None,
    softmax: Annotated[
        Literal["auto", SoftmaxName],
        typer.Option(
            help="Over a large vocabulary, adaptive is several times as fast. auto: adaptive above 4,096 words.",
            rich_help_panel=NETWORK,
        ),
    ] = "auto",
    input_dropout: Annotated[
        float | None,
        typer.Option(help=f"Share of tokens' vectors dropped; {CHOSEN}.", rich_help_panel=NETWORK),
    ] = None,
    weight_dropout: Annotated[
        float | None,
        typer.Option(help=f"Share of recurrent weights dropped, step by step; {CHOSEN}.", rich_help_panel=NETWORK),
    ] = None,
    variational: Annotated[
        bool,
        typer.Option("--variational", help="Keep a row's dropout mask for a whole window.", rich_help_panel=NETWORK),
    ] = False,
    init_from: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="Begin with this model's weights and vocabulary.", rich_help_panel=NETWORK),
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help=f"Passes over the corpus; {CHOSEN}.", rich_help_panel=SCHEDULE)
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Train that many minutes instead; the schedule fits itself to them.", rich_help_panel=SCHEDULE
        ),
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="End after that many steps, if not before.", rich_help_panel=SCHEDULE)
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option("-b", "--batch-size", help=f"Rows of text side by side; {CHOSEN}.", rich_help_panel=SCHEDULE),
    ] = None,
    seq_length: Annotated[
        int | None, typer.Option(help=f"Symbols a gradient reaches back; {CHOSEN}.", rich_help_panel=SCHEDULE)
    ] = None,
    lr: Rate = None,
    average: Average = None,
    clip: Clip = None,
    clip_value: ClipValue = None,
    weight_decay: WeightDecay = None,
    target: Target = None,
    patience: Patience = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help=f"The same seed gives the same model. Default: {TRAIN_DEFAULT.seed}.", rich_help_panel=SCHEDULE
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads; they change nothing but time. Default: all.", rich_help_panel=SCHEDULE)
    ] = None,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"], typer.Option(help="Of the products.", rich_help_panel=SCHEDULE)
    ] = "auto",
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with an interrupted run, with its settings.", rich_help_panel=SCHEDULE),
    ] = False,
    sample_every: Annotated[
        int | None,
        typer.Option(
            help="Show samples every so many evaluations; 0: never. Default: ten times a run.", rich_help_panel=OUTPUT
        ),
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a line of JSON for each record of training.", rich_help_panel=OUTPUT),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the losses: .png, .svg or .pdf.", rich_help_panel=OUTPUT)
    ] = None,
    compare: Compare = None,
    diagnose: Diagnose = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and its cost; train nothing.", rich_help_panel=OUTPUT)
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.", rich_help_panel=OUTPUT)] = False,
) -> None:
    """Learn from names or texts and save a model. Ctrl-C saves what was learned."""
    # A budget of --minutes begins with the process: what it has computed so far is about the time it has taken.
    began = time.perf_counter() - min(time.process_time(), STARTING)
    from gencli.choices import Choices
    from gencli.cli.training_run import Request, carry_out, check_outputs
    from gencli.kernels.threads import default_threads

    given = locals()
    choices = Choices(**{field.name: given[field.name] for field in fields(Choices)})
    check(minutes is None or epochs is None, "--minutes and --epochs: give only one of them")
    check(threads is None or threads >= 1, f"--threads {threads}: must be at least 1")
    check(sample_every is None or sample_every >= 0, f"--sample-every {sample_every}: must be 0 (never) or above")
    request = Request(
        sources=source,
        output=output or default_output(source),
        threads=threads or default_threads(),
        threads_asked=threads,
        resume=resume,
        init_from=init_from,
        sample_every=sample_every,
        metrics=metrics,
        plot=plot,
        dry_run=dry_run,
        quiet=quiet,
        began=began,
    )
    if compare is not None:
        from gencli.cli.compare_run import compare_cells

        refuse_beside("--compare", given)
        raise typer.Exit(compare_cells(compare, request, choices))
    if diagnose:
        from gencli.cli.diagnose_run import diagnose_cell

        refuse_beside("--diagnose", given)
        raise typer.Exit(diagnose_cell(request, choices))
    check_outputs(request, choices)
    raise typer.Exit(carry_out(request, choices))


def default_output(sources: list[str]) -> Path:
    """The sources' name with `.safetensors`, in the working folder."""
    from gencli.corpus import corpus_name

    return Path(f"{corpus_name(sources)}.safetensors")
