"""Which of the APIs given as KEY:NAME the broker does not announce: prints
them, and ends with status 1 if there are any."""

import sys

from tap import serves

missing = ["%s (%s)" % (name, key) for key, name in
           (word.split(":") for word in sys.argv[1:]) if not serves(int(key))]
print(", ".join(missing))
sys.exit(1 if missing else 0)
