# tests/lint: form is checked as code is; see README.md
lint_tests = %D%/banned.t %D%/headers.t %D%/layers.t %D%/magics.t \
    %D%/rooms.t %D%/sizes.t %D%/text.t
TESTS += $(lint_tests)
dist_check_SCRIPTS += $(lint_tests)
EXTRA_DIST += %D%/README.md %D%/code.awk %D%/layers %D%/layers.awk \
    %D%/lib.sh %D%/long

# Form alone, in a few seconds.
.PHONY: lint
lint: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(lint_tests)' \
	    check_PROGRAMS=
