"""Reports of searches: laws of the leaderboard, the anytime curve, the comparison, and what is written."""

import csv
import dataclasses
import html
import json
import re
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

from experiments import report, search_report
from scaling.laws.pareto import hypervolume
from scaling.runs.rows import write_row
from scaling.runs.spec import DataSpec, RunSpec
from scaling.sweeps.run import lost_row
from scaling.zoo import nasbench201
from search.reports import baseline, leaderboard, regret, tables
from search.reports.build import build
from search.reports.comparison import compare
from search.reports.difference import verdict, welch
from search.reports.source import read_searches, unlike
from search.runs.history import History, Record
from search.runs.workdir import BOARD, BOARD_CSV, DRAWING, HISTORY_CSV, PAGE, PICTURE

HOSTILE = '</script><script>alert("&")</script> {{ title }}'


def write(
    directory,
    strategy="random",
    seed=0,
    rewards=(),
    finals=(),
    costs=1.0,
    settings=None,
    strategy_widths=(),
    rungs=None,
    **config,
):
    """A search's directory; a reward may be a number, a tuple, or None for a failure."""
    directory.mkdir(parents=True)
    records, seen = [], set()
    for i, reward in enumerate(rewards):
        point = (i % 7, i % 3)
        network = "-".join(map(str, point))
        lost = reward is None
        records.append(
            Record(
                index=i,
                point=point,
                rung=rungs[i] if rungs else 0,
                name=network,
                network=network,
                rewards=reward if isinstance(reward, tuple) else (reward,),
                cached=network in seen,
                metrics={} if lost else {"val_top1": 0.5, "macs": 1e6 + i},
                status="oom" if lost else "ok",
                fidelity="a proxy",
                cost=0.0 if network in seen else costs,
                message=HOSTILE if lost else "",
            )
        )
        seen.add(network)
    History(directory).append(records)
    full = {
        "seed": seed,
        "space": {"name": "s"},
        "strategy": {"name": strategy, "settings": settings or {}, "widths": strategy_widths},
        **config,
    }
    (directory / "config.json").write_text(json.dumps(full))
    for i, score in enumerate(finals):
        row = dataclasses.replace(
            lost_row(RunSpec(seed=i), "ok", "", 1.0), macs=1, metrics={"val_top1": 0.5, "test_top1": score}
        )
        write_row(directory / "final" / row.id / "row.json", row)
    return directory


def with_best(directory, arch):
    (directory / "best").mkdir()
    network = max(History(directory).records, key=lambda r: r.reward).network
    genotype = {"string": "best <one>", "network": network, "arch": arch.to_dict()}
    (directory / "best" / "genotype.json").write_text(json.dumps(genotype))
    return directory


@pytest.fixture(scope="module")
def noisy():
    """Rewards of 60 evaluations of 21 networks, the first and some more failures."""
    drawn = np.random.default_rng(0).normal(size=21)
    return [None if i % 21 in (0, 5) else float(drawn[i % 21]) for i in range(60)]


@pytest.fixture
def searches(tmp_path, noisy):
    return read_searches([write(tmp_path / "a", rewards=noisy)])


def test_the_leaderboard_is_sorted_and_distinct(searches, noisy):
    entries = leaderboard.leaderboard(searches)
    rewards = [entry.record.reward for entry in entries]
    assert rewards == sorted(rewards, reverse=True) and rewards[0] == max(r for r in noisy if r is not None)
    networks = [entry.record.network for entry in entries]
    assert len(set(networks)) == len(networks) == 19
    records = searches[0].records
    for entry in entries:
        same = [r for r in records if r.network == entry.record.network]
        assert (entry.asked, entry.first, entry.cost) == (len(same), same[0].index, sum(r.cost for r in same))
    assert leaderboard.leaderboard(searches, 3) == entries[:3]


def test_counts_are_those_of_the_records(searches):
    counts = leaderboard.count(searches)
    assert (counts.evaluations, counts.networks, counts.cached) == (60, 21, 39)
    assert counts.failures == {"oom": 2} and counts.seconds == 21 and counts.refused == 0
    assert "2 oom" in tables.summary(counts)


def test_over_a_limit_is_no_failure_but_has_no_place(tmp_path):
    path = write(tmp_path / "a", rewards=[1.0, (None,), 2.0])
    searches = read_searches([path])
    assert leaderboard.count(searches).refused == 1 and not leaderboard.count(searches).failures
    assert [entry.record.index for entry in leaderboard.leaderboard(searches)] == [2, 0]


def test_with_several_objectives_the_pareto_front_comes_first(tmp_path):
    pairs = [tuple(map(float, pair)) for pair in np.random.default_rng(1).integers(0, 6, (21, 2))]
    entries = leaderboard.leaderboard(read_searches([write(tmp_path / "a", rewards=pairs)]))
    fronts = [entry.front for entry in entries]
    assert fronts == sorted(fronts) and fronts[0] == 0
    for entry in entries:
        better = [
            o
            for o in entries
            if np.greater_equal(o.record.rewards, entry.record.rewards).all()
            and o.record.rewards != entry.record.rewards
        ]
        assert entry.front == max((o.front + 1 for o in better), default=0)


def test_the_hypervolume_never_falls_and_ends_at_that_of_all(tmp_path):
    pairs = [tuple(pair) for pair in np.random.default_rng(1).normal(size=(21, 2)).tolist()]
    searches = read_searches([write(tmp_path / "a", rewards=pairs)])
    _, best = regret.measure(searches)
    areas, worst = best(searches[0]), np.min(pairs, 0)
    assert (np.diff(areas) >= 0).all()
    assert areas[-1] == pytest.approx(
        hypervolume([-a for a, _ in pairs], [b for _, b in pairs], -worst[0], worst[1])
    )


@pytest.mark.parametrize("axis", regret.AXES)
def test_the_anytime_curve_never_falls_and_ends_at_the_best(searches, noisy, axis):
    made = regret.curve(searches, axis, regret.best_reward)
    assert (np.diff(made.mean) > 0)[:-1].all() and (np.diff(made.x) > 0).all()
    assert made.mean[0] == noisy[1] and made.mean[-1] == max(r for r in noisy if r is not None)
    assert made.x[-1] == {"evaluations": 60, "seconds": 21}[axis]


def test_the_curve_of_several_seeds_is_their_mean_at_every_evaluation(tmp_path):
    rewards = np.random.default_rng(2).normal(size=(5, 21))
    paths = [write(tmp_path / f"{i}", seed=i, rewards=r.tolist()) for i, r in enumerate(rewards)]
    searches = read_searches(paths)
    assert {search.label for search in searches} == {"random"}
    made = regret.curve(searches, "evaluations", regret.best_reward)
    so_far = np.maximum.accumulate(rewards, axis=1)
    at = np.searchsorted(made.x, np.arange(1, 22), "right") - 1
    np.testing.assert_allclose(made.mean[at], so_far.mean(0))
    np.testing.assert_allclose(made.deviation[at], so_far.std(0, ddof=1))


def test_a_curve_over_cost_ends_where_the_first_search_does(tmp_path):
    paths = [write(tmp_path / f"{c}", seed=c, rewards=[1.0, 2.0, 3.0], costs=float(c)) for c in (1, 3)]
    made = regret.curve(read_searches(paths), "seconds", regret.best_reward)
    assert made.x[0] == made.x[-1] == 3 and made.mean.tolist() == [2.0]


@pytest.mark.parametrize("replacing", [True, False])
def test_the_expectation_is_the_mean_of_simulated_random_searches(replacing):
    rng = np.random.default_rng(3)
    rewards = np.where(rng.random(40) < 0.3, -np.inf, rng.normal(size=40))
    made = baseline.expected(rewards, 30, replacing)
    places = np.stack([rng.choice(40, 30, replace=replacing) for _ in range(4000)])
    best = np.maximum.accumulate(rewards[places], axis=1)
    for x, mean, deviation in zip(made.x.astype(int), made.mean, made.deviation):
        found = best[np.isfinite(best[:, x - 1]), x - 1]
        assert abs(found.mean() - mean) < 4 * deviation / np.sqrt(len(found)) + 1e-9
        assert found.std() == pytest.approx(deviation, rel=0.1, abs=1e-3)


def test_random_search_s_own_records_give_its_expectation(searches, noisy):
    found = baseline.baseline(searches)
    assert found.optimum is None and "60 records" in found.label
    assert found.expected.mean[-1] == pytest.approx(max(r for r in noisy if r is not None))
    assert (np.diff(found.expected.mean) >= -1e-12).all()
    np.testing.assert_allclose(found.on("seconds").x, found.expected.x * 21 / 60)


def test_a_table_gives_optimum_and_expectation(tmp_path, noisy):
    searches = read_searches([write(tmp_path / "a", "evolution", rewards=noisy)])
    assert baseline.baseline(searches) == baseline.Baseline()
    table = np.array([-np.inf, 1.0, 2.0, 5.0])
    found = baseline.baseline(searches, table)
    assert found.optimum == 5 and found.on("seconds") is None
    assert found.expected.mean[0] == pytest.approx(8 / 3) and found.expected.mean[-1] == pytest.approx(5)


def test_a_searched_table_gives_the_baseline_and_is_not_needed_again(tmp_path, noisy):
    file = tmp_path / "table.csv"
    file.write_text("a,b,val\n" + "".join(f"{i % 7},{i % 3},{i / 2}\n" for i in range(21)))
    shown = {"file": str(file), "decisions": ["a", "b"], "shown": {"val_top1": "val"}}
    parts = {"space": {"name": "table"}, "evaluator": {"name": "tabular", "settings": shown}}
    path = write(tmp_path / "a", "evolution", rewards=noisy, **parts)
    first = build([path], path, "x")[PAGE].read_text()
    assert '"optimum":10.0' in first and "exact over 21 points" in first and "evaluation in all" not in first
    file.unlink()
    assert build([path], tmp_path / "again", "x")[PAGE].read_text() == first
    (path / "baseline.json").write_text('{"optimum": 1}')
    with pytest.raises(ValueError, match=r"baseline.json is damaged.*delete it"):
        build([path], path, "x")


def test_of_a_halving_search_only_the_longest_trained_compare(tmp_path):
    rungs, rewards = [0, 0, 1, 0, 0, 1], [9.0, 8.0, 1.0, 7.0, 9.0, 2.0]
    path = write(tmp_path / "a", rewards=rewards, strategy_widths=(2, 1), rungs=rungs)
    (search,) = read_searches([path])
    last = [r.index for r in search.records if r.rung == 1]
    assert [entry.record.index for entry in leaderboard.leaderboard([search])] == last[::-1] == [5, 2]
    made = regret.curve([search], "evaluations", regret.best_reward)
    assert made.x.tolist() == [3, 6] and made.mean.tolist() == [1, 2]
    assert baseline.baseline([search]) == baseline.Baseline()
    assert "trained longest" in build([path], tmp_path / "out", "x")[BOARD].read_text()


def test_labels_tell_settings_apart_and_seeds_not(tmp_path):
    paths = [
        write(tmp_path / f"{i}", seed=i, rewards=[1.0], strategy="ppo", settings={"rate": rate})
        for i, rate in enumerate((0.1, 0.1, 0.2))
    ]
    assert [s.label for s in read_searches(paths)] == ["ppo rate=0.1", "ppo rate=0.1", "ppo rate=0.2"]


def test_searches_of_other_objectives_are_said_to_be_so(tmp_path):
    paths = [write(tmp_path / m, rewards=[1.0], objective={"metric": m}) for m in ("val", "loss")]
    assert unlike(read_searches(paths)) == ["objective.metric"]


def test_neither_a_seed_nor_how_a_run_was_executed_tells_searches_apart(tmp_path):
    runs = [RunSpec(seed=seed, data=DataSpec(workers=seed)).to_dict() for seed in (0, 1)]
    paths = [write(tmp_path / f"{i}", seed=i, rewards=[1.0], run=run) for i, run in enumerate(runs)]
    searches = read_searches(paths)
    assert unlike(searches) == [] and [s.label for s in searches] == ["random"] * 2


def test_welch_is_scipy_s():
    rng = np.random.default_rng(4)
    one, other = rng.normal(size=5).tolist(), (1 + 3 * rng.normal(size=9)).tolist()
    interval = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert welch(one, other).interval == pytest.approx((interval.low, interval.high), rel=1e-4)


def test_equal_samples_do_not_differ_and_far_ones_do():
    same = welch([0.9, 0.91, 0.92], [0.92, 0.9, 0.91])
    assert not same.seen and "No difference can be seen" in verdict(("a", "b"), same)
    assert not welch([1.0, 1.0], [1.0, 1.0]).seen
    far = welch([0.5, 0.51, 0.52], [0.9, 0.91, 0.92])
    assert far.seen and verdict(("a", "b"), far).startswith("b is better than a: a minus b is −0.4")
    assert "Nothing can be said" in verdict(("a", "b"), welch([1.0], [2.0, 3.0]))


def test_the_interval_covers_the_true_difference_as_often_as_it_says():
    rng = np.random.default_rng(5)
    samples = [(rng.normal(size=3), 2 * rng.normal(size=5)) for _ in range(400)]
    covered = [not welch(one.tolist(), other.tolist()).seen for one, other in samples]
    assert 0.92 < np.mean(covered) < 0.99


def test_retrained_networks_are_compared_by_run_or_by_search(tmp_path):
    one = [write(tmp_path / "r", rewards=[1.0], finals=(0.80, 0.81, 0.82))]
    one += [write(tmp_path / "p", "ppo", rewards=[1.0], finals=(0.90, 0.91, 0.92))]
    (by_run,) = compare(read_searches(one))
    assert [(s.label, len(s.scores), s.unit) for s in by_run.samples] == [
        ("random", 3, "run"),
        ("ppo", 3, "run"),
    ]
    assert by_run.verdicts[0].startswith("ppo is better than random") and "+10 points" in by_run.verdicts[0]
    more = [write(tmp_path / "r2", seed=1, rewards=[2.0], finals=(0.80, 0.82))]
    more += [write(tmp_path / "p2", "ppo", seed=1, rewards=[2.0], finals=(0.80, 0.82))]
    by_search, by_reward = compare(read_searches(one + more))
    assert (
        by_search.samples[1].scores == pytest.approx((0.91, 0.81)) and by_search.samples[0].unit == "search"
    )
    assert "No difference" in by_search.verdicts[0] and "No difference" in by_reward.verdicts[0]


@pytest.fixture(scope="module")
def built(tmp_path_factory, noisy):
    tmp_path = tmp_path_factory.mktemp("built")
    arch = nasbench201.network(nasbench201.cell("421312"))
    sources = [
        with_best(write(tmp_path / "a", rewards=noisy, finals=(0.8, 0.81)), arch),
        write(tmp_path / "b", "ppo", rewards=noisy[::-1], finals=(0.8, 0.82)),
    ]
    return sources, build(sources, tmp_path / "out", f"A & {HOSTILE}")


def test_everything_is_written_and_holds_every_record(built, noisy):
    _, paths = built
    assert set(paths) == {BOARD, BOARD_CSV, HISTORY_CSV, PICTURE, DRAWING, PAGE}
    assert paths[PICTURE].read_bytes().startswith(b"\x89PNG")
    ElementTree.parse(paths[DRAWING])
    lines = list(csv.DictReader(paths[HISTORY_CSV].open()))
    assert [line["reward"] for line in lines] == ["" if r is None else str(r) for r in noisy + noisy[::-1]]
    assert {line["search"] for line in lines} == {"random", "ppo"}
    board = list(csv.DictReader(paths[BOARD_CSV].open()))
    assert len(board) == 21 and [line["rank"] for line in board] == [str(1 + i) for i in range(21)]
    assert "| 1 | `" in paths[BOARD].read_text()


def test_the_page_escapes_messages_and_loads_nothing(built):
    page = built[1][PAGE].read_text()
    before = page.split("<script>")[0]
    assert page.count("<script") == 3
    assert 'alert("&")' not in page and 'alert("&")' in html.unescape(before)
    assert not re.search(r'\b(src|href)="|url\(|@import', before)
    assert "{{ title }}" in before  # text that looks like a place of the template stays text
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert [s["name"] for s in data["series"]] == ["random", "ppo"] and data["optimum"] is None
    assert len(data["series"][0]["dots"]["y"]) == 54 and "best &lt;one&gt;" in before
    assert before.count('class="edge"') == 6 + 3


def test_the_page_holds_tables_verdict_and_how_to_reproduce(built):
    page = html.unescape(built[1][PAGE].read_text())
    for words in ("Best networks", "Anytime curve", "Comparison", "No difference can be seen", "Evaluations that failed",
                  "python -m experiments.search --config=", '"strategy"'):  # fmt: skip
        assert words in page, words
    assert page.count("<tr>") >= 120 + 20


def test_building_again_gives_the_same_text(built, tmp_path):
    sources, paths = built
    again = build(sources, tmp_path / "again", f"A & {HOSTILE}")
    for name in set(paths) - {PICTURE}:
        assert again[name].read_text() == paths[name].read_text()


@pytest.mark.parametrize(
    "rewards", [[None, None], [(1.0, 2.0, 3.0)] * 2, [(1.0, None)], [(2.0, 1.0), (1.0, 2.0)]]
)
def test_what_has_no_curve_or_no_best_still_makes_a_report(tmp_path, rewards):
    path = write(tmp_path / "a", rewards=rewards)
    paths = build([path], tmp_path / "out", "x")
    assert DRAWING not in paths and paths[PICTURE].exists() and "Evaluations" in paths[PAGE].read_text()


def test_bad_sources_are_named(tmp_path):
    with pytest.raises(ValueError, match="is not a directory"):
        read_searches([tmp_path / "none"])
    with pytest.raises(ValueError, match="holds no history"):
        read_searches([tmp_path])
    paths = [write(tmp_path / "a", rewards=[1.0]), write(tmp_path / "b", rewards=[(1.0, 2.0)])]
    with pytest.raises(ValueError, match="1 and 2 objectives"):
        read_searches(paths)
    (tmp_path / "a" / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config.json is not readable"):
        read_searches(paths[:1])


def test_a_damaged_final_row_is_reported_and_the_rest_goes_on(tmp_path):
    path = write(tmp_path / "a", rewards=[1.0], finals=(0.8,))
    (path / "final" / "bad").mkdir()
    (path / "final" / "bad" / "row.json").write_text("{")
    (search,) = read_searches([path])
    assert len(search.finals) == 1 and "bad" in search.problems[0]
    assert "could not be read" in build([path], tmp_path / "out", "x")[PAGE].read_text()


def test_the_command_writes_beside_the_search_and_says_where(tmp_path, capsys):
    path = write(tmp_path / "a", rewards=[1.0])
    search_report.main([f"--workdir={path}"])
    said = capsys.readouterr().out
    assert str(path / PAGE) in said and (path / BOARD).exists()
    with pytest.raises(ValueError, match="--out=DIR"):
        search_report.main([f"--workdir={path}", f"--workdir={path}"])


def test_a_served_page_is_made_again_when_the_search_has_gone_on(tmp_path, monkeypatch):
    path, given = write(tmp_path / "a", rewards=[1.0]), []
    monkeypatch.setattr(report, "serve", lambda *arguments: given.extend(arguments))
    search_report.main([f"--workdir={path}", "--serve", "--port=0"])
    make, told, _ = given
    first, before = make(), told()
    shutil.copytree(write(tmp_path / "more", rewards=[1.0, 0.5]), path, dirs_exist_ok=True)
    assert told() != before and make() != first
