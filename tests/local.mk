include tests/unit/local.mk
include tests/crash/local.mk
include tests/fuzz/local.mk
include tests/compat/local.mk
include tests/history/local.mk
include tests/story/local.mk
include tests/lint/local.mk
include tests/oracle/local.mk
