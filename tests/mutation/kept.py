"""Mutations of what is sealed, signed, judged and kept."""

from tests.mutation.mutation import Mutation

KEPT = (
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
        "            pause_s = _pause_s(self.clock, clock)\n",
        "            pause_s: float | None = clock.wall_s - self.clock.wall_s\n",
        ("tests/store/test_age.py",),
    ),
    Mutation(
        "a home that was moved has been on as long as the machine that it comes to",
        "meshnews/store/age.py",
        "self.up_s + min(up_s, pause_s)",
        "self.up_s + up_s",
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
        "an fsync is left out",
        "daemon/meshnewsd/storage/database.py",
        'connection.pragma("synchronous", "FULL")',
        'connection.pragma("synchronous", "OFF")',
        ("tests/store/test_power_loss.py",),
    ),
    Mutation(
        "a second program may open a database",
        "daemon/meshnewsd/storage/database.py",
        "fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)",
        ("tests/store/test_disk.py",),
    ),
    Mutation(
        "a commit waits while the log is folded",
        "daemon/meshnewsd/storage/fold.py",
        "        if is_for_owner or not self._aside.begin():\n",
        "        if is_for_owner or self._pages:\n",
        ("tests/store/test_fold.py",),
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
        "an identifier does not name who paid",
        "meshnews/bundle/format.py",
        'b"".join((h_ct, meta, payer))',
        'b"".join((h_ct, meta))',
        ("tests/bundle/test_format.py", "tests/store/test_admission.py"),
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
        "what came in part is forgotten by a restart",
        "meshnews/store/partial.py",
        "            self._known = {key for key, _ in self._carry.scan(PARTIAL)}\n",
        "            self._known = set()\n",
        ("tests/sync/test_resume.py",),
    ),
    Mutation(
        "a disk that is full after the vault's commit refuses what was kept",
        "daemon/meshnewsd/storage/store.py",
        "            if vault is not None and vault.has_written:\n",
        "            if vault is None:\n",
        ("tests/store/test_disk.py",),
    ),
)
