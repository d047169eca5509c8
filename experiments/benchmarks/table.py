"""table.md, a function of the stored rows: one table a section, sums and ratios that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from experiments.benchmarks.rows import Measurement
from experiments.benchmarks.summaries import SUMMARIES
from scaling.reports.markdown import table_line

HEAD = """# Benchmarks

Made by `python -m experiments.benchmarks --table` from the rows beside it. Contenders are processes that
take turns within one run; times are medians over the rounds, the ratio is the median over rounds of peer /
ours, in brackets its quartiles: above 1 ours is faster, or smaller.
"""
SECTION_NOTES = {
    "operators": "Random inputs; backward gives the gradients of all inputs, and the value is computed too. "
    '"lax" is `lax.conv_general_dilated`, for norm stock Flax, for se ours over it.',
    "steps": "Training is forward, backward and SGD with batch statistics; random images, initial weights, "
    "nothing is dropped. Peers are timm's networks (for CIFAR the same network, written from the paper). All "
    "contenders keep freed memory (glibc), as our training does: PyTorch gains more by it than we do.",
    "dense": "As steps, of networks that answer for every place of an image; the loss is the sum of their outputs' "
    "mean squares. Peers are torchvision's segmenters and effdet's detectors.",
    "compile": "From nothing but initial weights to the end of the first training step, each in a new "
    "process; the warm cache holds the programs of an earlier process.",
    "loader": "Photos decoded and squeezed to one side, in steady state; `full decode` leaves out the JPEG "
    "draft mode that ours and the first peer use.",
    "memory": "Peak of the resident memory (Linux VmHWM) while training steps run, libraries included; after "
    "compiling, freed memory was given back (malloc_trim) and the peak reset. `idle` is what was resident "
    "before the network was built, ours and the peer's; `compiled` is XLA's own count for our program: "
    "arguments, results, temporaries. On a GPU the peak is that of the device's memory.",
    "epoch": "Whole processes: start, imports, data, compiling, one epoch of random images as many as CIFAR-10's "
    "with crops and flips, one evaluation; ours writes a checkpoint and a row too. The peer's data come through a "
    "DataLoader with as many workers as cores.",
    "devices": 'Our trainer\'s step, mapped by pmap ("ours") and by jit of a shard_map; the batch is over all '
    "devices. On a CPU the devices are virtual and share its cores: such rows show that it works, not how it scales.",
}
COLUMNS = ("network", "case", "mode", "batch", "px", "type", "ours", "peer", "its", "ratio", "note")


def render(sections: dict[str, Sequence[Measurement]]) -> str:
    """Return the Markdown of all sections' rows, machine by machine."""
    parts = [HEAD]
    for section, rows in sections.items():
        for machine in dict.fromkeys(map(_machine, rows)):
            here = [row for row in rows if _machine(row) == machine]
            parts.append(_section(section, machine, here))
    if not any(row.environment.get("backend") == "gpu" for rows in sections.values() for row in rows):
        parts.append(NO_GPU)
    return "\n".join(parts)


NO_GPU = (
    "GPU rows are missing: none was at hand. Run `python -m experiments.benchmarks` on a machine with an "
    "NVIDIA GPU, `jax[cuda12]` and a CUDA build of torch; its rows are added to these.\n"
)


def _section(section: str, machine: str, rows: Sequence[Measurement]) -> str:
    lines = [f"## {section}: {machine}", "", SECTION_NOTES[section], ""]
    lines += table(COLUMNS, map(cells, rows))
    summary = SUMMARIES[section](rows)
    lines += ["", *(f"- {line}" for line in summary)] if summary else []
    return "\n".join([*lines, "", _origin(rows), ""])


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [table_line(columns), "|" + " --- |" * len(columns), *map(table_line, rows)]


def cells(row: Measurement) -> tuple[str, ...]:
    """Return one row's cells, `COLUMNS` long."""
    shown = UNITS[row.unit]
    times = f" (x{row.times})" if row.times > 1 else ""
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}{_quartiles(row)}"
    return (
        row.model,
        row.case + times,
        row.mode,
        str(row.batch),
        str(row.resolution),
        row.dtype,
        shown(row, row.ours),
        row.peer,
        shown(row, row.theirs),
        ratio,
        row.note or _facts(row),
    )


def line(row: Measurement) -> str:
    """Return a row as one printed line."""
    return "  ".join(cell for cell in cells(row) if cell)


def _quartiles(row: Measurement) -> str:
    if row.ratio_quartiles is None or row.repeats < 2:
        return ""
    low, high = row.ratio_quartiles
    return f" ({low:.2f} to {high:.2f})"


def _seconds(row: Measurement, value: float | None) -> str:
    if value is None:
        return ""
    if row.section == "loader":
        return f"{1 / value:.0f} images/s/core"
    return f"{value:.2f} s" if row.section == "compile" else f"{1e3 * value:.2f} ms"


def _bytes(row: Measurement, value: float | None) -> str:
    return "" if value is None else f"{value / 1e6:.0f} MB"


UNITS: dict[str, Callable[[Measurement, float | None], str]] = {"s": _seconds, "bytes": _bytes}


def _facts(row: Measurement) -> str:
    """What else is worth a place: shares of a GPU's peaks, the host's time, memory before."""
    ours, theirs = row.ours_facts, row.theirs_facts
    found = [f"{who['flop_share']:.0%} of peak FLOP/s" for who in (ours,) if "flop_share" in who]
    found += [
        f"{who['bandwidth_share']:.0%} of peak bandwidth" for who in (ours,) if "bandwidth_share" in who
    ]
    if row.section == "steps" and "host_ms" in ours and row.environment.get("backend") != "cpu":
        found.append(f"host {ours['host_ms']:.2f} ms a call")
    if row.section == "memory":
        idle = [who.get("idle_bytes") for who in (ours, theirs)]
        found += [f"idle {' and '.join(_bytes(row, value) for value in idle)}"] if all(idle) else []
        found += [f"compiled {_bytes(row, ours['compiled_bytes'])}"] if "compiled_bytes" in ours else []
    return ", ".join(found)


def _machine(row: Measurement) -> str:
    at = row.environment
    return f"{at.get('device_kind', '')}, {at.get('processor', '')}, {at.get('cores', '?')} cores"


def _origin(rows: Sequence[Measurement]) -> str:
    """When, at which revisions and with which packages the rows were made."""
    dates = sorted({row.environment.get("date", "") for row in rows})
    loads = [row.environment.get("load", 0.0) for row in rows]
    revisions = sorted({_short(row.environment.get("git_revision", "")) for row in rows})
    versions = dict.fromkeys(
        f"{name} {version}" for row in rows for name, version in row.environment.get("versions", {}).items()
    )
    return f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}; load before {max(loads):.1f}; revision {', '.join(revisions)}; {', '.join(versions)}."


def _short(revision: str) -> str:
    commit, dash, dirty = revision.partition("-")
    return commit[:10] + dash + dirty
