"""The list: what is broken, where, and which tests have to notice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change to the code.

    Attributes:
        name: what becomes of it, in words.
        path: the file.
        old, new: a piece of its text that is there once, and what takes its place.
        tests: what pytest is given; one of them has to fail.
    """

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTATIONS = (
    Mutation(
        "a signature is not checked",
        "meshnews/crypto/keys.py",
        "        crypto_sign_open(signature + message, public)\n",
        "        pass\n",
        ("tests/crypto/test_keys.py",),
    ),
    Mutation(
        "what is not canonical is read",
        "meshnews/wire/codec.py",
        "    if canonical != data:\n",
        "    if False:\n",
        ("tests/wire/test_codec.py",),
    ),
    Mutation(
        "a chunk may hold something else than its tree names",
        "meshnews/bundle/chunks.py",
        "    if not same(b2(Label.CHUNK, data), node.data_hash):\n",
        "    if False:\n",
        ("tests/bundle/test_chunks.py",),
    ),
    Mutation(
        "a block is taken from anywhere, not from where the last one ended",
        "meshnews/sync/request.py",
        "            or data.offset != len(self.begun) + self._came\n",
        "",
        ("tests/sync/test_states.py", "tests/sync/test_hostile.py"),
    ),
    Mutation(
        "resuming is off by one",
        "meshnews/sync/request.py",
        '        return b"".join((self.begun, *self._blocks))\n',
        '        return b"".join((self.begun[:-1], *self._blocks))\n',
        ("tests/sync/test_resume.py",),
    ),
    Mutation(
        "what came in part is lost with the link",
        "meshnews/sync/take.py",
        "        if request.came:\n",
        "        if False:\n",
        ("tests/sync/test_cuts.py",),
    ),
    Mutation(
        "a short receipt of another bundle is taken",
        "meshnews/store/acknowledgement.py",
        "        if short.id != ref.id:\n",
        "        if False:\n",
        ("tests/store/test_receipts.py",),
    ),
    Mutation(
        "a collector tells of a receipt at once",
        "meshnews/store/receipts.py",
        "        if self._terms.collector:\n"
        "            return self._hold_back(known.ref, receipt, moment,",
        "        if False:\n            return self._hold_back(known.ref, receipt, moment,",
        ("tests/store/test_receipts.py",),
    ),
    Mutation(
        "a quota is not applied",
        "meshnews/store/room.py",
        "        needed = usage.total + size - allowed\n",
        "        needed = 0\n",
        ("tests/store/test_room.py",),
    ),
    Mutation(
        "stamped bundles take more than their share",
        "meshnews/store/room.py",
        "            if over_share > 0:\n",
        "            if False:\n",
        ("tests/store/test_room.py",),
    ),
    Mutation(
        "own work is evicted like any other",
        "meshnews/store/order.py",
        "    if entry.pinned or state not in WITH_BODY:\n",
        "    if state not in WITH_BODY:\n",
        ("tests/store/test_room.py", "tests/contract/test_store_contract.py"),
    ),
    Mutation(
        "bad postage leaves a mark",
        "meshnews/store/franking.py",
        "                return None\n            raise\n        except Exceeded:\n",
        "                return None\n"
        '            return Franked(AuthKind.POSTAGE, b"?" * 32, 1)\n'
        "        except Exceeded:\n",
        ("tests/store/test_admission.py",),
    ),
    Mutation(
        "a postage key franks as many bundles as one likes",
        "meshnews/store/franking.py",
        "        if bundle.id > rivals[franked.n].id:\n            return None\n",
        "        if bundle.id > rivals[franked.n].id:\n            return []\n",
        ("tests/store/test_admission.py",),
    ),
    Mutation(
        "a body that is too old is taken",
        "meshnews/store/admission.py",
        "        return age_s >= bundle.life * DAY_S\n",
        "        return False\n",
        ("tests/store/test_admission.py",),
    ),
    Mutation(
        "life runs on by the wall clock alone",
        "meshnews/store/age.py",
        "            pause_s = max(up_s, _pause_s(self.clock, clock))\n",
        "            pause_s = clock.wall_s - self.clock.wall_s\n",
        ("tests/store/test_age.py",),
    ),
    Mutation(
        "life is written down when there is something else to do",
        "meshnews/node/node.py",
        "min(self.home.moment.lived_s + TICK_S_MAX, self.time.save_s)",
        "self.home.moment.lived_s + TICK_S_MAX",
        ("tests/sim/test_life.py",),
    ),
    Mutation(
        "an older manifest takes the place of a newer",
        "meshnews/desk/manifest.py",
        "        return new.version > old.version\n",
        "        return True\n",
        ("tests/desk/test_manifest.py",),
    ),
    Mutation(
        "a recorded call is answered twice",
        "meshnews/node/replay.py",
        "            return False\n",
        "            return True\n",
        ("tests/node/test_replay.py",),
    ),
    Mutation(
        "what a crash kept from carry is not put back",
        "meshnews/node/outbox.py",
        "                home.publish(bundle, release_after_s=hold_s)\n",
        "                pass\n",
        ("tests/node/test_crash_points.py",),
    ),
    Mutation(
        "what comes while the vault is closed is never tried",
        "meshnews/node/opening.py",
        '            home.carry.put(shelf.UNTRIED, key_of(bundle.ref), b"")\n',
        "            pass\n",
        ("tests/node/test_opening.py", "tests/sim/test_soak.py"),
    ),
    Mutation(
        "a busy link is taken for one that dribbles",
        "meshnews/node/switchboard.py",
        "        if has_ended or talk.frame_since_s is None:\n",
        "        if talk.frame_since_s is None:\n",
        ("tests/sim/test_slow_links.py",),
    ),
    Mutation(
        "an fsync is left out",
        "daemon/meshnewsd/storage/database.py",
        'connection.pragma("synchronous", "FULL")',
        'connection.pragma("synchronous", "OFF")',
        ("tests/store/test_power_loss.py",),
    ),
    Mutation(
        "carry is committed before the vault",
        "daemon/meshnewsd/storage/store.py",
        "        if vault is not None:\n"
        "            vault.commit()\n"
        "        try:\n"
        "            self._carry_db.commit()\n",
        "        self._carry_db.commit()\n"
        "        if vault is not None:\n"
        "            vault.commit()\n"
        "        try:\n"
        "            pass\n",
        ("tests/store/test_power_loss.py",),
    ),
    Mutation(
        "a hold is not kept",
        "meshnews/node/home.py",
        "        return between(self.entropy, 0.0, at_most_s)\n",
        "        return 0.0\n",
        ("tests/sim/test_hold.py",),
    ),
    Mutation(
        "a relay answers to its new key alone",
        "meshnews/node/former.py",
        "        former.keep(name, own.beacon_key, end_s=home.moment.lived_s + OVERLAP_S)\n",
        "",
        ("tests/sim/test_recall.py",),
    ),
    Mutation(
        "a relay answers to a former key for ever",
        "meshnews/node/former.py",
        "key for _, end_s, key in self._entries(name) if end_s > now_s",
        "key for _, end_s, key in self._entries(name)",
        ("tests/sim/test_recall.py",),
    ),
    Mutation(
        "who calls a relay forgets its key of before",
        "meshnews/node/former.py",
        "        former.keep(name, before.beacon_key, end_s=_NEVER_S)\n",
        "        pass\n",
        ("tests/sim/test_recall.py",),
    ),
    Mutation(
        "a member goes on under the mesh key of before",
        "meshnews/node/presence.py",
        "            self._mesh.clear()\n        if day not in self._mesh:\n",
        "        if day not in self._mesh:\n",
        ("tests/sim/test_recall.py",),
    ),
    Mutation(
        "a recalled relay is still called",
        "meshnews/node/node.py",
        "if self.home.book.is_recalled(revocation_id(keys.static)):",
        "if not self.home:",
        ("tests/sim/test_recall.py",),
    ),
    Mutation(
        "what is opened after a recall is believed",
        "meshnews/node/opening.py",
        "            return Verdict.UNPROVEN if fits else Verdict.FORK\n",
        "            return Verdict.VERIFIED\n",
        ("tests/node/test_recall.py",),
    ),
    Mutation(
        "what was not confirmed is told once",
        "meshnews/node/owed.py",
        "        return self.sent_day is None or self.sent_day + AGAIN_DAYS <= today\n",
        "        return self.sent_day is None\n",
        ("tests/node/test_recall.py",),
    ),
    Mutation(
        "an editor whose keys gave way leaves its own with others",
        "meshnews/node/turning.py",
        "told_since = Day(0) if is_own else",
        "told_since =",
        ("tests/node/test_recall.py",),
    ),
    Mutation(
        "of two editors the one heard last replaces a key",
        "meshnews/node/keyring.py",
        "        if known is not None and known.stamp >= new.stamp and",
        "        if known is not None and known.stamp == new.stamp and",
        ("tests/node/test_former.py",),
    ),
    Mutation(
        "keys that the vault alone has are not put on carry",
        "meshnews/node/turning.py",
        "        if Keyring(home).restore():\n",
        "        if home.vault is None:\n",
        ("tests/node/test_former.py", "tests/sim/test_recall.py"),
    ),
    Mutation(
        "notices are made under the new key alone",
        "meshnews/node/notices.py",
        "        for key in keys:\n            self._publish(",
        "        for key in keys[:1]:\n            self._publish(",
        ("tests/node/test_former.py",),
    ),
    Mutation(
        "a recalled editor's members stay as they are",
        "meshnews/node/turning.py",
        "        self._sign_anew(seat)\n",
        "",
        ("tests/node/test_recall.py",),
    ),
    Mutation(
        "an identifier does not name who paid",
        "meshnews/bundle/format.py",
        'b"".join((h_ct, meta, payer))',
        'b"".join((h_ct, meta))',
        ("tests/bundle/test_format.py", "tests/store/test_admission.py"),
    ),
    Mutation(
        "what a carrier franked anew is not known again",
        "meshnews/node/opening.py",
        "        if before is not None:\n            self._confirm(bundle, before)\n",
        "        if before is not None:\n            pass\n",
        ("tests/node/test_reopening.py",),
    ),
    Mutation(
        "a reporter confirms what others than the desk have franked",
        "meshnews/node/opening.py",
        "        elif before.payer == payer_of(bundle.auth, bundle.kind):\n",
        "        else:\n",
        ("tests/node/test_reopening.py",),
    ),
    Mutation(
        "postage of an issuer that nobody knows is good",
        "meshnews/bundle/postage.py",
        "    _check_issuer(read, issuers, memo)\n",
        "",
        ("tests/bundle/test_postage.py",),
    ),
    Mutation(
        "acked ids under one key have no end",
        "meshnews/store/franking.py",
        "        spared = ACKED_PER_KEY * (franked.n + 1)\n",
        "        spared = len(rivals) + 2\n",
        ("tests/store/test_admission.py",),
    ),
    Mutation(
        "postage that was signed for another bundle counts",
        "meshnews/bundle/postage.py",
        "    verify(read.key, read.signature, Label.FRANK_1, ref.id)\n",
        "",
        ("tests/store/test_receipts.py",),
    ),
    Mutation(
        "a day that is alike is compared, and one that differs is not",
        "meshnews/sync/dial.py",
        "if fingerprint == self._sides.salt.fingerprint(digest):",
        "if fingerprint != self._sides.salt.fingerprint(digest):",
        ("tests/sync/test_convergence.py",),
    ),
    Mutation(
        "the oldest span of a comparison loses its last day",
        "meshnews/sync/dial.py",
        "            if newest >= asked.oldest:\n",
        "            if newest > asked.oldest:\n",
        ("tests/sync/test_compare.py", "tests/sync/test_convergence.py"),
    ),
    Mutation(
        "a day that never becomes alike comes first in every contact",
        "meshnews/sync/dial.py",
        'order.insert(0, order.pop(int.from_bytes(drawn, "big") % len(order)))',
        "order.sort(reverse=True)",
        ("tests/sync/test_starved_days.py",),
    ),
    Mutation(
        "what one link gave up is asked of no other",
        "meshnews/sync/schedule.py",
        "            following.wish_again(name)\n",
        "",
        ("tests/sync/test_neighbours.py",),
    ),
    Mutation(
        "a notice that came before the editors is not asked for again",
        "meshnews/node/node.py",
        "            self.switchboard.wish_for_refused()\n",
        "",
        ("tests/sim/test_notices.py",),
    ),
    Mutation(
        "what came in part is forgotten by a restart",
        "meshnews/store/partial.py",
        "            self._known = {key for key, _ in self._carry.scan(PARTIAL)}\n",
        "            self._known = set()\n",
        ("tests/sync/test_resume.py",),
    ),
    Mutation(
        "whoever brings the rest of a poisoned half is blamed",
        "meshnews/sync/take.py",
        "            if not request.begun:\n                raise\n",
        "            if request:\n                raise\n",
        ("tests/sync/test_resume.py",),
    ),
    Mutation(
        "a copy that was handed on is not counted",
        "meshnews/sync/routing.py",
        "        count = self._handed.pop(ref, 0) + 1\n",
        "        count = 1\n",
        ("tests/sync/test_routing.py",),
    ),
    Mutation(
        "a spray goes on as wide in every generation",
        "meshnews/sync/routing.py",
        "self._served_max - age_s // GENERATION_S",
        "self._served_max",
        ("tests/sync/test_routing.py",),
    ),
    Mutation(
        "what all streams are given at once has no bound",
        "meshnews/node/filling.py",
        "            if self._left_bytes <= 0:\n",
        "            if self._left_bytes is None:\n",
        ("tests/node/test_filling.py",),
    ),
    Mutation(
        "bytes are made before the stream has taken those before",
        "meshnews/node/conversation.py",
        "        if self._waiting:\n            return None\n",
        "",
        ("tests/node/test_switchboard.py", "tests/sim/test_slow_links.py"),
    ),
    Mutation(
        "a stream keeps its turn for as long as it has something to say",
        "daemon/meshnewsd/turns.py",
        "            self._lanes.move_to_end(name)\n",
        "            pass\n",
        ("tests/shell/test_turns.py",),
    ),
    Mutation(
        "a node acts before its transaction is on disk",
        "daemon/meshnewsd/host.py",
        "        effects = await self._in_transaction(lambda: node.handle_all(batch, clock))\n",
        "        effects = await self._worker.run(lambda: node.handle_all(batch, clock))\n"
        "        self._carry_out(effects)\n"
        "        effects = await self._in_transaction(list)\n",
        ("tests/shell/test_host.py",),
    ),
    Mutation(
        "of those who call, any number counts as links of our own choosing",
        "meshnews/node/company.py",
        "        return len(called) + min(len(callers), enough // 2) >= enough\n",
        "        return len(called) + len(callers) >= enough\n",
        ("tests/node/test_dialler.py",),
    ),
    Mutation(
        "who has links enough calls nobody new",
        "meshnews/node/dialler.py",
        "        if not is_due or not strangers:\n",
        "        if is_due or not strangers:\n",
        ("tests/node/test_dialler.py",),
    ),
    Mutation(
        "a disk that is full after the vault's commit refuses what was kept",
        "daemon/meshnewsd/storage/store.py",
        "            if vault is not None and vault.has_written:\n",
        "            if vault is None:\n",
        ("tests/store/test_disk_full.py", "tests/sim/test_disk_full.py"),
    ),
)
