if HAVE_CMOCKA
STREAMS_TESTS = %D%/gate %D%/state %D%/stock %D%/task %D%/threads %D%/topology \
    %D%/vectors
check_PROGRAMS += $(STREAMS_TESTS) %D%/bench
TESTS += $(STREAMS_TESTS)
BUILT_SOURCES += %D%/trade.pb-c.h
CLEANFILES += %D%/trade.pb-c.c %D%/trade.pb-c.h

STREAMS_LIBS = streams/task/libdriver.a streams/task/libtask.a \
    streams/port/libport.a streams/topology/libtopology.a \
    streams/serde/libserde.a broker/base/libbase.a $(CMOCKA_LIBS) \
    $(PROTOBUF_C_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS) -lm

%C%_gate_SOURCES = %D%/gate.c
%C%_gate_LDADD = $(STREAMS_LIBS)
%C%_task_SOURCES = %D%/task.c %D%/fixture.h
nodist_%C%_task_SOURCES = %D%/trade.pb-c.c
%C%_task_LDADD = $(STREAMS_LIBS)
%C%_threads_SOURCES = %D%/threads.c %D%/fixture.h
%C%_threads_LDADD = $(STREAMS_LIBS)
%C%_bench_SOURCES = %D%/bench.c
%C%_bench_LDADD = $(STREAMS_LIBS)
%C%_topology_SOURCES = %D%/topology.c %D%/fixture.h
nodist_%C%_topology_SOURCES = %D%/trade.pb-c.c
%C%_topology_LDADD = $(STREAMS_LIBS)
%C%_state_SOURCES = %D%/state.c %D%/fixture.h
%C%_state_LDADD = $(STREAMS_LIBS)
%C%_stock_SOURCES = %D%/stock.c %D%/fixture.h
nodist_%C%_stock_SOURCES = %D%/trade.pb-c.c
%C%_stock_LDADD = $(STREAMS_LIBS)
%C%_vectors_SOURCES = %D%/vectors.c %D%/fixture.h
%C%_vectors_LDADD = $(STREAMS_LIBS)
endif
EXTRA_DIST += %D%/trade.proto
