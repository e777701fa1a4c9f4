"""All misleading studies, by name: the audit's sixteen, and ours."""

from tests.analysis.adversarial.of_the_audit import OF_THE_AUDIT
from tests.analysis.adversarial.of_what_is_said import OF_WHAT_IS_SAID
from tests.analysis.adversarial.of_what_lacks import OF_WHAT_LACKS

NO_ZERO_HAS_A_SIGN = r"(?<![\w.])[-−]0(?:\.0+)?(?![\w.])"
NOTHING_ELSE = ("knowledge coming back", "reached at most", "started from a model")
CASES = {**OF_THE_AUDIT, **OF_WHAT_IS_SAID, **OF_WHAT_LACKS}
