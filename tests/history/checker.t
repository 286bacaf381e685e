#!/bin/sh
# The checker finds each bug that is put into a history, and nothing else.
command -v python3 >/dev/null 2>&1 || {
    echo "1..0 # SKIP python3 is not installed"
    exit 0
}
python3 -B "$(dirname "$0")/checker_test.py"
