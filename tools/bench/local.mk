# tools/bench: see bench.h
noinst_LIBRARIES += %D%/libbench.a
%C%_libbench_a_SOURCES = \
    %D%/bench.c %D%/bench.h \
    %D%/child.c %D%/child.h \
    %D%/epoch.c \
    %D%/fetch.c \
    %D%/floor.c %D%/floor.h \
    %D%/groups.c \
    %D%/inventory.c \
    %D%/latency.c %D%/latency.h \
    %D%/meter.c %D%/meter.h \
    %D%/orders.c %D%/orders.h \
    %D%/partitions.c \
    %D%/produce.c \
    %D%/pump.c %D%/pump.h \
    %D%/raw.c %D%/raw.h \
    %D%/raw_fetch.c \
    %D%/redis.c \
    %D%/report.c %D%/report.h \
    %D%/reserve.c \
    %D%/start.c \
    %D%/sync.c \
    %D%/tail.c %D%/tail.h \
    %D%/topics.c \
    %D%/txn.c
EXTRA_DIST += %D%/README.md %D%/against-kafka
