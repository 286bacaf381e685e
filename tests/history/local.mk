# tests/history: see README.md
dist_check_SCRIPTS += %D%/checker.t %D%/history.t %D%/seeded.t
TESTS += %D%/checker.t %D%/history.t %D%/seeded.t
EXTRA_DIST += %D%/README.md %D%/checker.py %D%/checker_test.py %D%/run.py \
    %D%/worker.py %D%/worker.js %D%/Worker.java

# The long one. The seed is printed; PENSTOCK_SEED repeats it.
HISTORY_SECONDS = 3600
.PHONY: check-history
check-history: penstock
	seed=$${PENSTOCK_SEED:-$$(date +%s)}; \
	HISTORY_SECONDS=$(HISTORY_SECONDS) PENSTOCK_SEED=$$seed \
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
	$(srcdir)/%D%/history.t
