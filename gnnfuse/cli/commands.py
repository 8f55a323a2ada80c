"""The command line."""

import errno
import inspect
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from json import dumps
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Annotated, Literal, TextIO, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

import gnnfuse
from gnnfuse import catalog
from gnnfuse.cli.answers import embed, predict
from gnnfuse.cli.cache import cache
from gnnfuse.cli.fit import fit
from gnnfuse.cli.shared_options import Device, Threads
from gnnfuse.terminal import Terminal
from gnnfuse.threads import prepare_threads

if TYPE_CHECKING:
    from gnnfuse.diagnosis import Diagnosis
    from gnnfuse.graph import GraphBuilder
    from gnnfuse.sample import Sample

    KindOfName = str
else:
    KindOfName = Literal[tuple(sorted(catalog.KINDS))]

app = typer.Typer(
    name="gnnfuse",
    help="Fuse images, audio, text and your own node types with graph neural networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "; free some space there, or write elsewhere"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "; write elsewhere, or as a user who may"),
    errno.ENOTDIR: "; expected a folder there",
    errno.EISDIR: "; expected a file there",
    errno.EMFILE: "; raise the limit (ulimit -n), or use fewer workers",
}

Data = Annotated[
    Path | None,
    typer.Option(help="Folder with the data sets that do not come with the package; GNNFUSE_DATA by default."),
]


def main() -> None:
    """Run the command line; invalid input prints one line on standard error and exits with code 2."""
    try:
        with warnings.catch_warnings(), _asked_to_end():
            warnings.showwarning = _show_warning
            app()
    except (ValueError, OSError, FloatingPointError) as error:
        _tell("[bold red]error:[/]", _reason(error))
        sys.exit(2)
    finally:
        _let_go_of_output()


@contextmanager
def _asked_to_end() -> Iterator[None]:
    """End the command at SIGTERM and SIGHUP as at Ctrl-C, so that it cleans up."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names] if current_thread() is main_thread() else []
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]  # nohup ignores one
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _let_go_of_output() -> None:
    """Drop output that can no longer be written, about which Python would complain at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            with suppress(OSError, ValueError, AttributeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _tell(kind: str, text: str) -> None:
    with suppress(OSError):
        Console(stderr=True).print(f"{kind} {escape(text)}", highlight=False, soft_wrap=True)


def _reason(error: BaseException) -> str:
    """An error in one line; an operating system error as a sentence about the file."""
    if not isinstance(error, OSError) or error.errno is None or not error.strerror:
        return _one_line(error)
    what = f"{error.strerror[0].lower()}{error.strerror[1:]}"
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""  # or a descriptor
    return f"{where}{what}{ADVICE.get(error.errno, '')}"


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning in one line, without its place in our code."""
    _tell("[yellow]warning:[/]", _one_line(message))


def _one_line(error: BaseException | str) -> str:
    return " ".join(str(error).split())


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"gnnfuse {gnnfuse.__version__}")
        raise typer.Exit


def _command(call: Callable[..., None]) -> Callable[..., None]:
    """A command whose help is wrapped to the terminal's width, not at the docstring's line ends."""
    paragraphs = (inspect.getdoc(call) or "").split("\n\n")
    return app.command(name=call.__name__, help="\n\n".join(" ".join(each.split()) for each in paragraphs))(call)


for table_command in (fit, predict, embed, cache):
    _command(table_command)


@_command
def bench(
    task: Annotated[str, typer.Option(help="Benchmark task; `gnnfuse names benchmark` lists them.")] = "digits",
    models: Annotated[
        list[str] | None,
        typer.Option(
            help="Models (`gnnfuse names model`), separated by commas or by repeating the option; `unimodal` means one "
            "per modality, `unimodal:image` that one. All of the package by default."
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per model: 2 by default, 1 with --quick.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Time for everything, divided equally among the runs; results then depend on the machine's speed. "
            "No limit by default."
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A short look: less data, fewer epochs, one seed.")] = False,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write into; runs/<task>-<time> by default.")] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train models on a task through one loop with one budget, and compare them.

    Prints a table while it runs: test accuracy over seeds, parameters, training time, inference speed, peak memory.
    Writes results.json, report.md and plots. Models are chosen on the validation split; the test split is opened
    once per run, after training.
    """
    prepare_threads(threads)
    from gnnfuse.bench.bench import bench as run
    from gnnfuse.workflow.models import DEFAULT_MODELS

    words = DEFAULT_MODELS if models is None else [name.strip() for name in ",".join(models).split(",")]
    run(
        task,
        models=[name for name in words if name],
        seeds=seeds,
        minutes=minutes,
        quick=quick,
        data=data,
        out=out,
        device=device,
        observer=Terminal(),
    )


@_command
def draw(
    out: Annotated[Path, typer.Option(help="PNG, SVG or PDF file to write.")] = Path("graph.png"),
    task: Annotated[
        str | None, typer.Option(help="Draw a sample of this benchmark task, with the task's own node types and rules.")
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(help="Which sample of the task's validation split: its number or its id; the first by default."),
    ] = None,
    image: Annotated[Path | None, typer.Option(help="Picture of your own sample.")] = None,
    audio: Annotated[Path | None, typer.Option(help="Recording of your own sample.")] = None,
    text: Annotated[str | None, typer.Option(help="Text of your own sample.")] = None,
    patch: Annotated[
        int | None, typer.Option(min=1, help="Side of a patch of your picture, in pixels; 32 by default.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(min=0.001, help="Seconds per frame of your recording; 0.1 by default.")
    ] = None,
    max_edges: Annotated[int, typer.Option(min=1, help="Maximum number of edges drawn per relation.")] = 150,
    data: Data = None,
) -> None:
    """Draw one sample's graph: patches on the picture, frames on the spectrogram, tokens as words, edges by relation.

    Either --task, or at least one of --image, --audio and --text.
    """
    if task is None and image is None and audio is None and text is None:
        raise ValueError("nothing to draw: expected --task, or at least one of --image, --audio and --text")
    own = {"--image": image, "--audio": audio, "--text": text, "--patch": patch, "--hop": hop}
    of_task = {"--sample": sample, "--data": data}
    stray = [name for name, given in (own if task is not None else of_task).items() if given is not None]
    if stray:
        kind = "a task's sample" if task is not None else "a sample of your own"
        raise ValueError(f"found {stray[0]} while drawing {kind}, which takes no such option")
    from gnnfuse.data.overwriting import files_in, refuse_overwriting, refuse_unwritable
    from gnnfuse.draw import draw_sample
    from gnnfuse.sample.whole_file import replacing

    refuse_unwritable(out.parent)
    refuse_overwriting({"the picture": files_in(image), "the recording": files_in(audio)}, [out])
    drawn, builder = (
        _own_sample(image, audio, text, patch or 32, hop or 0.1)
        if task is None
        else _task_sample(task, sample or "0", data)
    )
    with replacing(out) as partial:
        draw_sample(drawn, builder, max_edges=max_edges).savefig(partial, dpi=150)
    Console().print(f"wrote {out}", markup=False, highlight=False, soft_wrap=True)


def _own_sample(
    image: Path | None, audio: Path | None, text: str | None, patch: int, hop: float
) -> tuple["Sample", "GraphBuilder"]:
    from gnnfuse.edges import Complete, EdgeRule, Grid, Window
    from gnnfuse.graph import GraphBuilder
    from gnnfuse.nodes import AudioFrames, Hub, ImagePatches, NodeType, TextTokens
    from gnnfuse.sample import Sample

    signals = {"image": image, "audio": audio, "text": text}
    kinds: dict[str, NodeType] = {
        "image": ImagePatches(patch=patch),
        "audio": AudioFrames(hop=hop),
        "text": TextTokens(),
    }
    given = {name for name, signal in signals.items() if signal is not None}
    rules: list[EdgeRule] = [Complete(dst="hub", name="to_hub"), Complete(src="hub", name="from_hub")]
    rules += [Grid()] if "image" in given else []
    rules += [Window(size=1)] if given & {"audio", "text"} else []
    builder = GraphBuilder([*(kinds[name] for name in sorted(given)), Hub()], rules)
    return Sample(signals, id=" + ".join(sorted(given))), builder


def _task_sample(task: str, wanted: str, data: Path | None) -> tuple["Sample", "GraphBuilder"]:
    from gnnfuse.bench.bench_task import MakeTask

    made = cast(MakeTask, catalog.load("benchmark", task))(data, False)
    valid = made.dataset.valid
    if wanted.isdecimal() and int(wanted) < len(valid):
        return valid[int(wanted)], made.builder()
    for sample in valid:
        if sample.id == wanted:
            return sample, made.builder()
    raise ValueError(
        f"task {task!r} has no validation sample {wanted!r}, expected a number below {len(valid)} or an id such as "
        f"{valid[0].id!r}"
    )


@_command
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, for programs.")] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Check only versions, devices and folders: import nothing but torch, run no kernel, try no media "
            "format and do not contact the hub.",
        ),
    ] = False,
) -> None:
    """Check this machine, and show how to repair what is broken.

    Checks versions, devices, kernels (correctness and speed), media formats, folders, and the hub.

    Every line begins with ok, with note (works without it, but worth knowing) or with broken; the last two show a
    remedy if there is one.

    It takes about twenty seconds, twenty more the first time, when CPU kernels are compiled, and a few with --quick.
    It changes nothing.

    Exit code 0 if everything that is needed works, 1 if not.
    """
    from gnnfuse.diagnosis import doctor as look

    found = look(quick=quick, observer=Terminal(stderr=True))
    if json:
        typer.echo(dumps(found.as_json(), indent=2))
    else:
        _print_diagnosis(found)
    raise typer.Exit(0 if found.healthy else 1)


def _print_diagnosis(found: "Diagnosis") -> None:
    colours = {"ok": "green", "note": "yellow", "broken": "bold red"}
    console = Console(highlight=False, soft_wrap=True)
    for line in str(found).splitlines():
        word = line.split()[0] if line.startswith("  ") and line.split() else ""
        text = Text(line)
        if word in colours:
            text.stylize(colours[word], line.index(word), line.index(word) + len(word))
        console.print(text)


@_command
def names(
    kind: Annotated[KindOfName | None, typer.Argument(help="Only this kind.")] = None,
) -> None:
    """List the names that commands, sweeps and saved models use: benchmarks, models, and the parts they are made of."""
    console = Console()
    for each in [kind] if kind else sorted(catalog.KINDS):
        console.print(f"[bold]{each}[/]: {', '.join(catalog.names(each))}", highlight=False)
