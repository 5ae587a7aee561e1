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
)
