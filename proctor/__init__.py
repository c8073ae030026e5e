"""The engine that grades notebooks: student code in a sandbox, hidden graders outside it."""

import sys

# jsonschema builds a parser of international addresses when it is imported, which takes longer than
# all else that a command imports (1.3 s of the processor). No schema here has such addresses, and
# jsonschema does without where the package is missing, as this makes it seem.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
