"""Every documented command is run: in a story here, by a test named here, or not, for a reason given here."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scaling.runs import store

REPOSITORY = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)  # with "file=" it is a script
MODULE = "python -m experiments."

PHOTOS = """
init flowers
sweep --config=flowers.py --workdir=runs/flowers
predict --run=runs/flowers/RUN new_photo.jpg
predict --run=runs/flowers/RUN flowers/daisy new_photo.jpg --csv=found.csv
evaluate --run=runs/flowers/RUN
views --run=runs/flowers/RUN new_photo.jpg --kind=gradcam --out=seen.png
export --run=runs/flowers/RUN --to=flowers.safetensors --card=README.md
export --run=runs/flowers/RUN --to=flowers.stablehlo
"""
SHORT = {"sweep": ("--config.train.duration=2 steps", "--config.schedule.warmup=0 steps", "--workers=2")}

# Of other commands of our own, which test runs them; arguments that do not matter are smaller there
ELSEWHERE = {
    "sweep --config=configs/quickstart.py --workdir=runs/quickstart": (
        "test_installed.py::test_the_quickstart_runs_from_an_empty_directory"
    ),
    "sweep --config=configs/quickstart.py --workdir=/shared/quickstart --workers=2": (
        "sweeps/test_drivers.py::test_two_drivers_share_the_trials_and_each_hears_of_all"
    ),
    "sweep --config=... --workdir=DIR --dry_run": (
        "sweeps/test_command.py::test_a_dry_run_tells_each_trial_starts_none_and_is_remembered"
    ),
    "predict --run=DIR IMAGE... --csv=FILE --out=DIR": (
        "tasks/test_answers.py::test_the_command_writes_table_and_pictures_of_a_file_that_knows_its_head"
    ),
    "pipeline --config=configs/pipeline.py --workdir=runs/pipeline --config.search.run.data.dir=DIR": (
        "experiments/test_pipeline.py::test_what_is_found_is_gridded_and_scaled_beside_the_rival"
    ),
    "faults --quick": "experiments/test_faults.py::test_a_glance_at_the_quick_kinds",
    "train --config=configs/x.py --workdir=/shared/x --coordinator=HOST:1234 --process_id=I --process_count=N": (
        "training/test_train_command.py::test_two_processes_equal_one_with_two_devices"
    ),
    "laws --workdir=DIR [--axis=macs] [--holdout=1] [--budget=1e7,3e7] [--extrapolate] [--out=DIR]": (
        "experiments/test_laws.py::test_committed_rows_make_tables"
    ),
    "coefficients --config=configs/coefficients_photos.py --workdir=runs/coefficients --config.data.dir=DIR": (
        "experiments/test_coefficients.py::test_it_trains_the_grid_and_its_base_and_ranks_them"
    ),
    "tabulate runs/cells729_0 runs/cells729_1 --out=cells729.csv": (
        "experiments/test_tabulate.py::test_a_line_has_each_seed_s_value_of_its_point"
    ),
    "search_table latencies.csv --decisions=tile,unroll,order --signal=ms --minimise": (
        "experiments/test_search_tables.py::test_a_table_of_ones_own_is_searched_in_its_own_unit"
    ),
    "compress --run=runs/x --out=runs/x_compressed --density=0.45 --bits=6": (
        "experiments/test_compress.py::test_pruned_weights_stay_0_while_fine_tuning_and_the_file_is_small"
    ),
    "convert --from=peer.safetensors --model=resnet18 --to=ours.safetensors": (
        "experiments/test_convert.py::test_there_and_back_gives_the_peers_tensors"
    ),
    "convert --from=ours.safetensors --to=peer.safetensors": (
        "experiments/test_convert.py::test_there_and_back_gives_the_peers_tensors"
    ),
    "convert --from=runs/x --to=peer.safetensors": (
        "experiments/test_convert.py::test_a_run_gives_its_averages_or_its_raw_weights"
    ),
}
NOT_RUN = {
    "python -m pytest": "it is this",
    "benchmarks": "half an hour, and needs peers; experiments/test_benchmarks.py measures an operator",
    "search --config=configs/search_cells.py --workdir=runs/cells --config.run.data.dir=DIR": (
        "an hour; its config is checked by search/runs/test_configs.py, and the command runs with other candidates"
    ),
    "faults": "half an hour; the quick kinds are run",
    'faults --only="disk full,peer killed" --seed=7 --out=faults': "minutes, and its disk needs root",
    "sweep --config=configs/quickstart.py --workdir=runs/q --engine=ray --address=127.0.0.1:6379 --workers=4": (
        "needs a cluster; where Ray is installed, sweeps/test_drivers.py runs the engine"
    ),
    "train --config=configs/imagenet_efficientnet.py --workdir=/shared/large --config.train.batch=32768 "
    "--config.train.batch_norm=synced --config.optimizer.name=lars --config.optimizer.lr=0.1 "
    "--config.optimizer.lr_batch=256 --config.schedule.name=poly --config.schedule.power=2 "
    "--config.schedule.warmup='50 epochs'": "days of many devices; test_many_machines.py reads it",
    "train --config=configs/x.py --workdir=runs/x --config.model.init=ours.safetensors": (
        "x.py is the reader's; training/test_starting.py starts from weights"
    ),
}
# Programs that are not ours: .ci/run installs as the README says
OTHERS = ("pip install ", "ray ", "export RAY_")


def commands(text: str) -> list[str]:
    """Of a page, without remarks, a line each."""
    lines = (line for block in BLOCK.findall(text) for line in re.sub(r"\\\n\s*", "", block).splitlines())
    return [part.strip() for line in lines for part in re.sub(r"\s+#.*", "", line).split(" && ")]


def documented() -> set[str]:
    pages = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
    return {command for page in pages for command in commands(page.read_text())}


def test_every_command_is_run_or_not_for_a_reason():
    ours = {command.removeprefix(MODULE) for command in documented() if not command.startswith(OTHERS)}
    placed = [*PHOTOS.strip().splitlines(), *ELSEWHERE, *NOT_RUN]
    assert len(placed) == len(set(placed))
    assert ours == set(placed)


@pytest.mark.parametrize("place", sorted(set(ELSEWHERE.values())))
def test_the_tests_that_run_them_are_there(place):
    file, _, name = place.partition("::")
    assert f"\ndef {name}(" in (REPOSITORY / "tests" / file).read_text()


@pytest.fixture
def photos(tmp_path) -> Path:
    """Flowers of three colours, and a photo of none of them."""
    random = np.random.default_rng(0)
    for number, name in enumerate(("daisy", "rose", "tulip")):
        (tmp_path / "flowers" / name).mkdir(parents=True)
        for i in range(12):
            pixels = random.integers(0, 64, (24, 24, 3), np.uint8)
            pixels[..., number] += 128
            Image.fromarray(pixels).save(tmp_path / "flowers" / name / f"{i}.jpg")
    Image.fromarray(random.integers(0, 256, (24, 24, 3), np.uint8)).save(tmp_path / "new_photo.jpg")
    return tmp_path


@pytest.mark.nightly
def test_own_photos_end_as_predictions_pictures_and_files(photos):
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    run, told = "", {}
    for line in PHOTOS.strip().splitlines():
        name, *words = shlex.split(line.replace("RUN", run))
        command = [sys.executable, "-m", f"experiments.{name}", *words, *SHORT.get(name, ())]
        done = subprocess.run(
            command, check=False, cwd=photos, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        told[name] = done.stdout
        if name == "sweep":
            rows = store.scan(photos / "runs" / "flowers").rows
            assert [row.status for row in rows.values()] == ["ok"] * 3
            run = min(rows.values(), key=lambda row: row.params or 0).id
    assert any(flower in told["predict"] for flower in ("daisy", "rose", "tulip"))
    assert len((photos / "found.csv").read_text().splitlines()) > 13
    assert Image.open(photos / "seen.png").size > (24, 24)
    assert " on flowers" in (photos / "README.md").read_text()
    assert (photos / "flowers.stablehlo").stat().st_size > 1000
