"""The list: what is broken, where, and which tests have to notice."""

from tests.mutation.carried import CARRIED
from tests.mutation.kept import KEPT

MUTATIONS = (*KEPT, *CARRIED)
