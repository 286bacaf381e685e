# Unit tests of tools/bench: the figures, and what the clients take for an
# answer; the command beside a peer. What is measured is not tested.
if HAVE_CMOCKA
check_PROGRAMS += %D%/report %D%/pump
TESTS += %D%/report %D%/pump
BENCH_TEST_LIBS = tools/bench/libbench.a $(PENSTOCK_LIBS) $(CMOCKA_LIBS) \
    $(PENSTOCK_SYSTEM_LIBS)
%C%_report_SOURCES = %D%/report.c
%C%_report_LDADD = $(BENCH_TEST_LIBS)
%C%_pump_SOURCES = %D%/pump.c
%C%_pump_LDADD = $(BENCH_TEST_LIBS)
endif

dist_check_SCRIPTS += %D%/peers.t
TESTS += %D%/peers.t
