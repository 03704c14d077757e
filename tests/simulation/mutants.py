"""Would the simulation notice? `python -m tests.simulation.mutants [NAME-PART...]`: each mutant is
one deliberate bug of one line, put into a copy of the engine on which the simulation then runs.

A mutant that is missed is a blind spot of the oracle or of the histories: mend that, or drop the
row if another safeguard makes it harmless.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.simulation.crashes import SCENARIOS
from tests.simulation.hardships import HARDSHIPS, struck_anywhere
from tests.simulation.mutant import DOMAIN, FAKES, ROOT, USE_CASES, Mutant
from tests.simulation.mutants_outside import OUTSIDE
from tests.simulation.outsiders import make_outside
from tests.simulation.play import play

SEEDS = 300
AT_ONCE = 2
HUNT_SECONDS_MAX = 900
COPIED = ("layers/core", "tests")


INVARIANTS = {
    1: "every copy means the canonical values, and every carried field is carried",
    2: "a further round writes nothing anywhere",
    3: "one origin never has two counterparts, one prompt two runs, one issue two runs at once",
    4: "no edit of a person is lost silently: it stands, or it is told as the loser of a conflict",
    5: "the watermark never passes something not stored, and never goes back",
    6: "nothing undocumented is sent, and nothing that mentions Norm",
    7: "the work of an idle round is bounded",
    8: "marks are one installation's: nothing is bred, adopted or taken over that is not ours",
    9: "one gate for each connection: too much of one sort stops it, by every door",
    10: "a restored vendor, a fight, a new id and a link across are told, and spread no harm",
}


MUTANTS = (
    # 1: every copy means the canonical values in the end
    Mutant(
        1,
        "severity and link are never written into our line",
        f"{DOMAIN}/push.py",
        "if not lined:",
        "if True:",
    ),
    Mutant(
        1,
        "a copy that lags is not marked",
        f"{DOMAIN}/lag.py",
        "if not _lags(issue, policy):",
        "if True:",
    ),
    Mutant(
        1,
        "a fingerprint holds although we wrote since",
        f"{USE_CASES}/fingerprints.py",
        "return name.remote_id not in self.pushed and self.of",
        "return self.of",
    ),
    Mutant(
        1,
        "the old fingerprint stands while a change is stored",
        f"{USE_CASES}/take_page.py",
        "        self._forget(page)\n",
        "",
    ),
    Mutant(
        1,
        "a row of a list is believed without a read",
        f"{USE_CASES}/take_in.py",
        "if len(issue.refs) > 1 or issue.pending or is_older:",
        "if False:",
    ),
    Mutant(
        1,
        "a learned word is not looked at again",
        f"{DOMAIN}/fingerprint.py",
        "        salt,\n",
        '        "",\n',
    ),
    Mutant(
        1,
        "leftovers are not finished",
        f"{USE_CASES}/finish_leftovers.py",
        "for issue_id in self.store.due(self.clock.now())\n",
        "for issue_id in []\n",
    ),
    Mutant(
        1,
        "a rule is not asked again after a lost wake-up",
        f"{USE_CASES}/finish_leftovers.py",
        "report.prompted.extend(self.start(issue_id))",
        "pass",
    ),
    Mutant(
        1,
        "a status that Norm's run gives is not carried",
        f"{USE_CASES}/track_runs.py",
        "return settle(edited, self.landscape, now, renew=True), (entry,)",
        "return edited, (entry,)",
    ),
    Mutant(
        1,
        "a copy that no list has shown is not missed",
        f"{USE_CASES}/fingerprints.py",
        "Round({*self.pushed}, state",
        "Round((), state",
    ),
    Mutant(
        1,
        "what a poll may have stored is not missed",
        f"{USE_CASES}/take_page.py",
        "not in (NO_DIGEST, NOT_STORED)",
        "not in (NO_DIGEST, None)",
    ),
    Mutant(
        1,
        "what is gone is still written to",
        f"{DOMAIN}/lag.py",
        "if ref.deleted or ref.foreign or not policy.may_write:",
        "if ref.foreign or not policy.may_write:",
    ),
    Mutant(
        1,
        "our line stays where its link has ended",
        f"{DOMAIN}/lag.py",
        "return bool(odd) or not line_belongs(issue, policy)",
        "return bool(odd)",
    ),
    Mutant(
        1,
        "an unlinked copy is still merged",
        f"{DOMAIN}/converge.py",
        "    if issue.refs[connection].ended:\n",
        "    if False:\n",
    ),
    # 2: no echo, no flapping
    Mutant(
        2,
        "our own write is taken for an edit",
        f"{DOMAIN}/field_merge.py",
        "ours = sent is not None and self._shows(source, sent, place)",
        "ours = False",
    ),
    Mutant(
        2,
        "a refused write is tried for ever",
        f"{DOMAIN}/lag.py",
        "return note is None or (now is not None and note.is_due(now))",
        "return True",
    ),
    Mutant(
        2,
        "a lens asks for the first meaning only",
        f"{DOMAIN}/words.py",
        "return raw is not None and canonical in self.words.get(raw, ())",
        "return raw is not None and canonical in self.words.get(raw, ())[:1]",
    ),
    Mutant(
        2,
        "our line is appended each time",
        f"{DOMAIN}/managed_line.py",
        "if not ours:",
        "if True:",
    ),
    # 3: once
    Mutant(
        3,
        "a create is sent again without a look",
        f"{USE_CASES}/once.py",
        'return self._send(effect, work) if effect.state == "planned" else self.look(effect, work)',
        "return self._send(effect, work)",
    ),
    Mutant(
        3,
        "a comment of ours is not remembered",
        f"{USE_CASES}/post_comment.py",
        "told = _with_place(ref, made, now)",
        "told = ref",
    ),
    Mutant(
        3,
        "one look is enough to create again",
        f"{USE_CASES}/once.py",
        "if looks >= self.recovery.looks and self.clock.now() >= due:",
        "if True:",
    ),
    Mutant(
        3,
        "a create without an answer is taken for one never sent",
        f"{USE_CASES}/once.py",
        "except Ambiguous as error:\n            due = self.clock.now()\n"
        "            self.ledger.put(effect.doubted(due, str(error)))",
        "except Ambiguous as error:\n            due = self.clock.now()\n"
        "            self.ledger.put(effect.planned(due, str(error)))",
    ),
    Mutant(
        3,
        "a new issue is taken in while a create has no answer",
        f"{USE_CASES}/take_in.py",
        "if any(self._may_be(effect, remote) for effect in known.open_creates()):",
        "if False:",
    ),
    Mutant(
        3,
        "our reference in a new issue is not read",
        f"{USE_CASES}/take_in.py",
        "marks = find_marks(remote.description)",
        "marks = ()",
    ),
    Mutant(
        3,
        "a prompt does not wait its turn",
        f"{USE_CASES}/submit_prompt.py",
        "if not self.line.has_turn(effect):",
        "if False:",
    ),
    Mutant(
        3,
        "a prompt is sent again without a look",
        f"{USE_CASES}/submit_prompt.py",
        'return self._send(effect) if effect.state == "planned" else self._look(effect)',
        "return self._send(effect)",
    ),
    Mutant(
        3,
        "a prompt that is done is sent again",
        f"{USE_CASES}/submit_prompt.py",
        '        if effect.state == "done":\n            return self._told(effect, "already")\n',
        "",
    ),
    Mutant(
        3,
        "a rule forgets that it asked",
        f"{DOMAIN}/rules.py",
        "fired = {**issue.fired, rule.name: Fired(at=now, times=times + 1)}",
        "fired = dict(issue.fired)",
    ),
    Mutant(
        3,
        "a rule asks in every window anew",
        f"{DOMAIN}/rules.py",
        "    if rule.cool_down_hours is None:\n        return None\n",
        "    if rule.cool_down_hours is None:\n        return old_enough\n",
    ),
    Mutant(
        3,
        "a prompt in doubt is sent again after one look",
        f"{USE_CASES}/submit_prompt.py",
        "if looks < recovery.looks or now < due:",
        "if False:",
    ),
    Mutant(
        3,
        "the turn passes on before the run has ended",
        f"{USE_CASES}/prompt_line.py",
        "self._record(effect, lambda issue: (_with_run(issue, run), ()))",
        "self._leave(effect, lambda issue: (_with_run(issue, run), ()))",
    ),
    # 4: no edit is lost
    Mutant(
        4,
        "the loser of a conflict is not told",
        f"{DOMAIN}/field_merge.py",
        'return issue, [self._entry("conflict", source.value, ours, detail="this edit lost")]',
        "return issue, []",
    ),
    Mutant(
        4,
        "a push does not merge what the copy says now",
        f"{USE_CASES}/push_changes.py",
        "observed = self._observe(issue, remote, connection)\n        write",
        "observed = Observed(issue)\n        write",
    ),
    Mutant(
        4,
        "the answer of a write is not merged",
        f"{USE_CASES}/push_changes.py",
        "observed = self._observe(issue, reply, connection)\n            self",
        "observed = Observed(issue)\n            self",
    ),
    Mutant(
        4,
        "what we once sent is never an edit again",
        f"{DOMAIN}/push.py",
        'update = {"notes": notes, "sending": {}, "sending_at": None}',
        'update = {"notes": notes}',
    ),
    Mutant(
        4,
        "a word nobody knows is written over",
        f"{DOMAIN}/field_merge.py",
        'return self._noted("frozen", moved[0].told, moved[0].raw)',
        "return self._with(Baseline(value=baseline.value, raws=self.raws)), []",
    ),
    Mutant(
        4,
        "our line takes the place of people's words",
        f"{DOMAIN}/managed_line.py",
        'return f"{text}\\n\\n{line}" if text else str(line)',
        "return str(line)",
    ),
    Mutant(
        4,
        "the store does not check the version",
        FAKES,
        "if (stored.version if stored else 0) != issue.version or any(",
        "if any(",
    ),
    Mutant(
        4,
        "after a lost race the old answer is merged",
        f"{USE_CASES}/push_changes.py",
        "                reply = self.system(connection).get(reply.remote_id)\n",
        "",
    ),
    Mutant(
        4,
        "what is overruled at the first meeting is not told",
        f"{DOMAIN}/field_merge.py",
        'return [self._entry("conflict", source.value, ours, detail=detail), *beside]',
        "return beside",
    ),
    Mutant(
        4,
        "our line is gone, and that is an edit",
        f"{DOMAIN}/field_merge.py",
        'if is_last and (carrier == "comment" or',
        'if is_last and (carrier == "comment" and',
    ),
    Mutant(
        4,
        "two workers write to one copy at once",
        f"{DOMAIN}/push.py",
        'model_copy(update={"due_at": lease_until})',
        "model_copy(update={})",
    ),
    Mutant(
        4,
        "a renewed mark lets a second worker in",
        f"{DOMAIN}/lag.py",
        "if renew and not issue.refs[policy.connection].sending:",
        "if renew:",
    ),
    Mutant(
        4,
        "what shall be held is decided",
        f"{DOMAIN}/field_merge.py",
        'if rule == "hold":',
        "if False:",
    ),
    Mutant(
        4,
        "the preferred side does not win",
        f"{DOMAIN}/field_merge.py",
        "if preferred == self.policy.connection:",
        "if False:",
    ),
    Mutant(
        4,
        "the preferred side does not keep its edit",
        f"{DOMAIN}/field_merge.py",
        "if preferred in (last.by, *last.also):",
        "if False:",
    ),
    Mutant(
        4,
        "the earlier edit wins",
        f"{DOMAIN}/field_merge.py",
        'return "remote" if self.seen.edited_at > last.at',
        'return "remote" if self.seen.edited_at < last.at',
    ),
    Mutant(
        4,
        "a deletion is believed at first sight",
        f"{USE_CASES}/end_sweep.py",
        "if first not in (None, state.sweep_number) and is_believed(first):",
        "if True:",
    ),
    Mutant(
        4,
        "a vendor that shows nothing has deleted all",
        f"{USE_CASES}/end_sweep.py",
        "return self.allowed or self._still_answers(shown)",
        "return True",
    ),
    Mutant(
        4,
        "a deletion closes the other side unasked",
        f"{DOMAIN}/converge.py",
        "if _closes(issue, landscape, connection):",
        "if True:",
    ),
    # 5: the watermark
    Mutant(
        5,
        "the watermark passes an issue that failed",
        f"{USE_CASES}/hot_lane.py",
        "self._looked(newest if clean else None)\n            return True\n        if self",
        "self._looked(newest)\n            return True\n        if self",
    ),
    Mutant(
        5,
        "a sweep grants the watermark although an issue failed",
        f"{USE_CASES}/pull_changes.py",
        "if self.state.sweep_clean and swept:",
        "if True:",
    ),
    Mutant(
        5,
        "the watermark is that of the round",
        f"{USE_CASES}/hot_lane.py",
        "newest = max(times, default=None)",
        "newest = max([*times, self.held.began_at])",
    ),
    Mutant(
        5,
        "the watermark goes back",
        f"{USE_CASES}/held.py",
        "if to and (self.state.watermark is None or to > self.state.watermark):",
        "if to:",
    ),
    Mutant(
        5,
        "a worker that lost its lease still writes",
        FAKES,
        "if self.states[state.connection].generation != state.generation:",
        "if False:",
    ),
    Mutant(
        5,
        "the hot lane ends after one page",
        f"{USE_CASES}/hot_lane.py",
        "return reached or page.cursor is None",
        "return True",
    ),
    Mutant(
        5,
        "a list that breaks off counts as whole",
        f"{USE_CASES}/pull_changes.py",
        "return page.cursor is not None and (shows_nothing or page.cursor == cursor)",
        "return False",
    ),
    Mutant(
        5,
        "the watermark is granted before the page is stored",
        f"{USE_CASES}/hot_lane.py",
        "        clean = self.take_first(page)\n        if",
        "        self.held.advance(newest)\n        clean = self.take_first(page)\n        if",
    ),
    Mutant(
        5,
        "a page counts as stored though its fingerprints wait",
        f"{USE_CASES}/take_page.py",
        "        finally:\n            self._save(fresh)\n",
        "        finally:\n            pass\n",
    ),
    # 6: nothing that may not be sent
    Mutant(
        6,
        "a draft mentions Norm",
        f"{DOMAIN}/push.py",
        "words = _safe(cut(without_lines(issue.description), room), policy)",
        "words = cut(without_lines(issue.description), room)",
    ),
    Mutant(
        6,
        "a description that mentions Norm is written again",
        f"{DOMAIN}/push.py",
        "if _safe(text, policy) != text:",
        "if False:",
    ),
    Mutant(
        6,
        "a full description gets our line on top",
        f"{DOMAIN}/push.py",
        "if utf16_units(text) > policy.description_units_max:",
        "if False:",
    ),
    Mutant(
        6,
        "a prompt mentions Norm",
        f"{DOMAIN}/prompt.py",
        "return without_mention(cut(detail, DETAIL_UNITS_MAX))",
        "return cut(detail, DETAIL_UNITS_MAX)",
    ),
    Mutant(
        6,
        "a title mentions Norm",
        f"{DOMAIN}/push.py",
        "title=_safe(cut(issue.title, TITLE_UNITS_MAX), policy)",
        "title=cut(issue.title, TITLE_UNITS_MAX)",
    ),
    Mutant(
        6,
        "a draft has no room for our line",
        f"{DOMAIN}/push.py",
        "room = policy.description_units_max - utf16_units(line) - 2",
        "room = policy.description_units_max",
    ),
    Mutant(
        6,
        "a description is emptied",
        f"{DOMAIN}/push.py",
        "    if not text:\n",
        "    if False:\n",
    ),
    # 7: work is bounded
    Mutant(
        7,
        "a slice of the sweep has no end",
        f"{USE_CASES}/pull_changes.py",
        "WHOLE_SWEEP_PAGES_MAX if self.whole_sweep else pages_max",
        "WHOLE_SWEEP_PAGES_MAX",
    ),
    Mutant(
        7,
        "every issue is read again in every round",
        f"{USE_CASES}/fingerprints.py",
        "return name.remote_id not in self.pushed and self.of(name) == digest",
        "return False",
    ),
    Mutant(
        1,
        "a sweep that showed some of what is known is over",
        f"{DOMAIN}/swept.py",
        "sum(swept.whole.values()) != known",
        "sum(swept.whole.values()) > known",
    ),
    Mutant(
        1,
        "a page is quiet although not all of it is known",
        f"{USE_CASES}/take_page.py",
        "quiet = clean and all(map(self._is_known, page.issues))",
        "quiet = True",
    ),
    Mutant(
        1,
        "a bucket counts as shown once one of it was",
        f"{DOMAIN}/swept.py",
        "bucket.keys() <= ids):",
        "bucket.keys() & ids):",
    ),
    Mutant(
        1,
        "what a full bucket turned away is not looked for",
        f"{USE_CASES}/fingerprints.py",
        "places = (numbered_place(name.display_id), hashed_place(name.remote_id))",
        "places = (numbered_place(name.display_id), None)",
    ),
    *OUTSIDE,
)


def hunt() -> str:
    """What first fails here, in a few words; empty if nothing does."""
    names = [*SCENARIOS, *HARDSHIPS]
    for name in names:
        played = play(next(struck_anywhere(name)))
        if played.failure:
            return f"{name}: {played.kind}"
    for seed in range(SEEDS):
        played = play(make_outside(seed))
        if played.failure:
            return f"seed {seed}: {played.kind}"
    for name in names:
        for history in struck_anywhere(name):
            played = play(history)
            if played.failure:
                return f"enumerated, {name}: {played.kind}"
    return ""


def caught_by(mutant: Mutant) -> str:
    """The same, with the mutant at work: in a process of its own, on a copy."""
    with TemporaryDirectory() as made:
        root = Path(made)
        for folder in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
        mutant.apply(root)
        run = subprocess.run(
            [sys.executable, "-c", "from tests.simulation.mutants import hunt; print(hunt())"],
            cwd=root,
            env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / COPIED[0]}"},
            capture_output=True,
            check=True,
            text=True,
            timeout=HUNT_SECONDS_MAX,
        )
    return run.stdout.strip()


def _rows(mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, str]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        hunts = {pool.submit(caught_by, mutant): mutant for mutant in mutants}
        for hunted in as_completed(hunts):
            late = isinstance(hunted.exception(), subprocess.TimeoutExpired)
            yield hunts[hunted], "" if late else hunted.result()


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.simulation.mutants", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="NAME-PART", help="only mutants named so")
    parts = parser.parse_args().parts
    chosen = [m for m in MUTANTS if not parts or any(part in m.name for part in parts)]
    missed = 0
    for mutant, caught in _rows(chosen):
        missed += not caught
        sys.stdout.write(f"{mutant.invariant}  {mutant.name:<55}  {caught or 'MISSED'}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - missed} of {len(chosen)} caught\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
